#include "plan/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

#include <diffusion/error.h>
#include "plan/analysis.h"
#include "plan/gradient_sharing.h"
#include "plan/lifetimes.h"
#include "plan/recomputation.h"

namespace diffusion {

namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kMaxInputs = 8;
constexpr std::byte kPoison{0xff};  // NaN in every format

using Clock = std::chrono::steady_clock;
using Source = Graph::Source;

void check_size(std::size_t given, const Shape& shape, const char* what) {
  if (std::int64_t(given) != shape.elements())
    throw Error(ErrorKind::internal, fmt::format("plan: {} {} of shape {}", given, what, to_string(shape)));
}

}  // namespace

Plan::Plan(const Graph& graph, Value output, const Device& device, Mode mode, const ParamStore& params,
           const PlanOptions& options)
    : Plan(graph, output, device, mode, DeviceParams(params, device, mode), nullptr, options) {}

Plan::Plan(const Graph& graph, Value output, const Device& device, Mode mode, const LearnedParams& params,
           const PlanOptions& options)
    : Plan(graph, output, device, mode, std::nullopt, &params, options) {}

Plan::Plan(const Graph& graph, Value output, const Device& device, Mode mode,
           std::optional<DeviceParams> constants, const LearnedParams* learned, const PlanOptions& options)
    : constants_(std::move(constants)), learned_(learned), queue_(device.queue()), output_(output.id) {
  const bool training = mode == Mode::training;
  const std::vector<bool> live = find_live(graph, output);
  const std::vector<bool> needs_grad = find_needs_grad(
      graph, {.inputs = training && options.input_grads, .params = training && learned != nullptr});
  choose_formats(graph, device);
  std::vector<Format> formats;
  for (const Tensor& grad : grads_) formats.push_back(grad.desc.format);
  const std::vector<int> grad_block = share_gradients(graph, live, needs_grad, formats);

  compile(graph, device, mode, live, needs_grad,
          find_grad_modes(graph, output, live, needs_grad, grad_block));

  std::vector<NodeBytes> bytes(values_.size());
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i].tensor = values_[i].desc.bytes();
  for (const PlanStep& step : steps_) {
    bytes[std::size_t(step.node)].saved = step.kernel->saved_bytes();
    bytes[std::size_t(step.node)].workspace = step.kernel->workspace_bytes();
  }
  const RunClock clock(graph, options.gradient_checkpointing
                                  ? find_recomputed(graph, output, live, needs_grad)
                                  : std::vector<bool>(values_.size(), false));
  order_runs(clock);
  PlanBlocks blocks = find_lifetimes(graph, output, mode, clock, live, needs_grad, grad_block, bytes);
  unshared_bytes_ = blocks.bytes();
  arena_bytes_ = plan_offsets(blocks.blocks, kAlignment);
  arena_ = device.allocate(arena_bytes_ + sizeof(RunContext));
  context_ = reinterpret_cast<RunContext*>(arena_->address() + arena_bytes_);
  bind(graph, needs_grad, blocks);
  if (options.poison) poison_from_now_on(blocks);
}

// A run that is under way uses the plan's memory. Its errors have nobody left to tell.
Plan::~Plan() {
  if (!queue_) return;
  try {
    queue_->wait();
  } catch (...) {
  }
}

void Plan::choose_formats(const Graph& graph, const Device& device) {
  for (const Graph::Node& node : graph.nodes()) {
    std::vector<TensorDesc> in;
    for (int i : node.in) in.push_back(values_[std::size_t(i)].desc);
    Format format;
    if (node.source == Source::param) format = {param_numbers(node.param).dtype, 1};
    if (node.source == Source::input) format = device.input_format(node.shape);
    if (node.source == Source::op) format = device.output_format(node.op, in, node.shape);
    values_.push_back({{node.shape, format}});
  }
  grads_ = values_;
}

void Plan::compile(const Graph& graph, const Device& device, Mode mode, const std::vector<bool>& live,
                   const std::vector<bool>& needs_grad, std::vector<std::vector<GradMode>> modes) {
  for (std::size_t i = 0; i < values_.size(); ++i) {
    const Graph::Node& node = graph.nodes()[i];
    if (node.source != Source::op || !live[i]) continue;
    std::vector<TensorDesc> in;
    std::array<bool, kMaxInputs> wanted{};
    for (std::size_t k = 0; k < node.in.size(); ++k) {
      in.push_back(values_[std::size_t(node.in[k])].desc);
      wanted[k] = needs_grad[std::size_t(node.in[k])];
    }
    PlanStep step;
    step.kind = kind(node.op);
    step.name = node.name;
    step.node = int(i);
    step.reads = backward_reads(node.op);
    step.runs_backward = needs_grad[i];
    step.mode = std::move(modes[i]);
    step.kernel = device.compile({node.op, in, values_[i].desc, mode,
                                  std::span<const bool>(wanted.data(), node.in.size()),
                                  constants_ && constants_->stay_in_files()});
    steps_.push_back(std::move(step));
  }
}

void Plan::order_runs(const RunClock& clock) {
  std::vector<int> step_of(values_.size(), -1);
  for (std::size_t k = 0; k < steps_.size(); ++k) step_of[std::size_t(steps_[k].node)] = int(k);
  for (const auto& [node, backward] : clock.runs()) {
    const int step = step_of[node];
    if (step < 0 || (backward && !steps_[std::size_t(step)].runs_backward)) continue;
    later_runs_.push_back({std::size_t(step), backward, backward ? clock.backward(node) : clock.again(node)});
  }
}

ParamNumbers Plan::param_numbers(int param) const {
  if (constants_) return constants_->numbers(param);
  return {DType::f32, flat_part(learned_->values(), learned_->layout().param_offset(param), 1).data};
}

void Plan::bind_param(const Graph::Node& node, Tensor& value, Tensor* grad) const {
  value.data = const_cast<void*>(param_numbers(node.param).data);  // kernels do not write parameters
  if (!grad) return;
  const std::size_t begin = learned_->layout().param_offset(node.param);
  grad->data = flat_part(learned_->grads(), begin, std::size_t(node.shape.elements())).data;
}

void Plan::bind(const Graph& graph, const std::vector<bool>& needs_grad, const PlanBlocks& blocks) {
  const auto address = [&](int block) {
    return block < 0 ? nullptr : arena_->address() + blocks.blocks[std::size_t(block)].offset;
  };
  for (std::size_t i = 0; i < values_.size(); ++i) {
    if (graph.nodes()[i].source == Source::param) {
      bind_param(graph.nodes()[i], values_[i], needs_grad[i] ? &grads_[i] : nullptr);
    } else {
      values_[i].data = address(blocks.value[i]);
      grads_[i].data = address(blocks.grad[i]);
    }
  }
  if (learned_) param_grads_ = learned_->grads().data;
  for (PlanStep& step : steps_) {
    const auto node = std::size_t(step.node);
    step.out = values_[node];
    step.dout = grads_[node];
    for (int in : graph.nodes()[node].in) {
      step.in.push_back(values_[std::size_t(in)]);
      step.din.push_back(grads_[std::size_t(in)]);
      step.is_param.push_back(graph.nodes()[std::size_t(in)].source == Source::param);
    }
    step.saved = address(blocks.saved[node]);
    step.forward_workspace = address(blocks.forward_workspace[node]);
    step.backward_workspace = address(blocks.backward_workspace[node]);
  }
}

void Plan::poison_from_now_on(const PlanBlocks& blocks) {
  queue_->fill(arena_->address(), arena_bytes_, kPoison);
  for (const Lifetime& b : blocks.blocks) {
    if (b.last < RunClock::kForever) poisons_.push_back({b.last, b.offset, b.size});
    if (b.again_first <= b.again_last) poisons_.push_back({b.again_last, b.offset, b.size});
  }
  std::ranges::stable_sort(poisons_, {}, &Poison::time);
}

void Plan::write_input(Value input, std::span<const float> values) {
  const Tensor& to = values_.at(std::size_t(input.id));
  check_size(values.size(), to.shape(), "numbers given for an input");
  if (to.data == nullptr) return;  // an input that the output does not depend on
  queue_->write(to, values);
}

void Plan::load_params() {
  if (constants_) constants_->refresh(*queue_);
  for (PlanStep& step : steps_) queue_->load_params(*step.kernel, step.in);
  loaded_version_ = params_version();
}

// The block of the learned parameters' gradients may have become another one.
void Plan::follow_param_grads() {
  void* const block = learned_ ? learned_->grads().data : nullptr;
  if (block == param_grads_) return;
  const std::ptrdiff_t moved = static_cast<std::byte*>(block) - static_cast<std::byte*>(param_grads_);
  for (PlanStep& step : steps_)
    for (std::size_t i = 0; i < step.din.size(); ++i)
      if (step.is_param[i] && step.din[i].data)
        step.din[i].data = static_cast<std::byte*>(step.din[i].data) + moved;
  param_grads_ = block;
}

void Plan::poison_after(int time) {
  const auto range = std::ranges::equal_range(poisons_, time, {}, &Poison::time);
  for (const Poison& p : range) queue_->fill(arena_->address() + p.offset, p.size, kPoison);
}

template <class Call>
void Plan::run(const PlanStep& step, bool backward, int time, const Call& call) {
  const auto start = Clock::now();
  call();
  if (observer_) {
    queue_->wait();
    observer_(step.timing(backward, std::chrono::duration<double>(Clock::now() - start).count()));
  }
  if (!poisons_.empty()) poison_after(time);
}

void Plan::forward(const RunContext& context) {
  if (loaded_version_ != params_version()) load_params();
  queue_->upload(context_, std::as_bytes(std::span(&context, 1)));
  for (PlanStep& step : steps_)
    run(step, false, RunClock::forward(std::size_t(step.node)),
        [&] { queue_->forward(*step.kernel, step.forward_args(context_)); });
}

void Plan::backward(std::span<const float> output_grad, const RunContext& context) {
  const Tensor& dout = grads_[std::size_t(output_)];
  if (dout.data == nullptr)
    throw Error(ErrorKind::internal, "plan: backward() needs training mode and something to train");
  check_size(output_grad.size(), dout.shape(), "gradients given for an output");
  if (!poisons_.empty()) poison_after(int(values_.size()));  // RunClock::between()
  follow_param_grads();
  queue_->upload(context_, std::as_bytes(std::span(&context, 1)));
  queue_->write(dout, output_grad);
  for (const LaterRun& later : later_runs_) {
    PlanStep& step = steps_[later.step];
    run(step, later.backward, later.time, [&] {
      if (later.backward)
        queue_->backward(*step.kernel, step.backward_args(context_));
      else
        queue_->forward(*step.kernel, step.forward_args(context_));
    });
  }
}

void Plan::read_output(std::span<float> values) const {
  queue_->read(values_[std::size_t(output_)], values);
}

void Plan::read_output(std::span<double> values) const {
  queue_->read(values_[std::size_t(output_)], values);
}

void Plan::read_input_grad(Value input, std::span<double> values) const {
  const Tensor& from = grads_.at(std::size_t(input.id));
  if (from.data == nullptr)
    throw Error(ErrorKind::internal,
                "plan: this input has no gradient; ask for it with PlanOptions::input_grads");
  queue_->read(from, values);
}

}  // namespace diffusion
