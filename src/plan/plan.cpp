#include "plan/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "plan/arena_planner.h"
#include "plan/gradient_sharing.h"

namespace diffusion {

namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kMaxInputs = 8;

using Source = Graph::Source;

// Which nodes the output depends on.
std::vector<bool> find_live(const Graph& graph, Value output) {
  std::vector<bool> live(graph.nodes().size(), false);
  live[std::size_t(output.id)] = true;
  for (int i = output.id; i >= 0; --i)
    if (live[std::size_t(i)])
      for (int in : graph.nodes()[std::size_t(i)].in) live[std::size_t(in)] = true;
  return live;
}

std::vector<bool> find_needs_grad(const Graph& graph, bool input_grads) {
  std::vector<bool> needs(graph.nodes().size(), false);
  for (std::size_t i = 0; i < needs.size(); ++i) {
    const Graph::Node& node = graph.nodes()[i];
    if (node.source == Source::input) needs[i] = input_grads;
    if (node.source == Source::param) needs[i] = graph.params()[std::size_t(node.param)].trainable;
    for (int in : node.in) needs[i] = needs[i] || needs[std::size_t(in)];
  }
  return needs;
}

}  // namespace

struct Plan::Step {
  std::string kind, name;
  int node = -1;
  BackwardReads reads;
  bool runs_backward = false;
  std::unique_ptr<Kernel> kernel;
  std::vector<Tensor> in, din;
  std::vector<GradMode> mode;
  Tensor out, dout;
  std::byte *saved = nullptr, *forward_workspace = nullptr, *backward_workspace = nullptr;

  StepTiming timing(bool backward, double seconds) const;
};

StepTiming Plan::Step::timing(bool backward, double seconds) const {
  const auto bytes_of = [](std::span<const Tensor> tensors) {
    double sum = 0;
    for (const Tensor& t : tensors) sum += double(t.desc.bytes());
    return sum;
  };
  double bytes = double(out.desc.bytes());
  if (!backward || reads.inputs) bytes += bytes_of(in);
  if (backward && reads.output) bytes += double(out.desc.bytes());
  for (std::size_t k = 0; backward && k < din.size(); ++k)
    if (mode[k] != GradMode::skip) bytes += double(din[k].desc.bytes());
  return {kind, name, kernel->implementation(), node, backward, seconds, bytes};
}

Plan::~Plan() = default;
Plan::Plan(Plan&&) noexcept = default;
Plan& Plan::operator=(Plan&&) noexcept = default;

Plan::Plan(const Graph& graph, Value output, const Device& device, Mode mode, ParamStore& params,
           const PlanOptions& options)
    : params_(&params), node_count_(int(graph.nodes().size())), output_(output.id) {
  const auto& nodes = graph.nodes();
  const std::size_t count = nodes.size();
  const bool training = mode == Mode::training;
  const std::vector<bool> live = find_live(graph, output);
  const std::vector<bool> needs_grad =
      training ? find_needs_grad(graph, options.input_grads) : std::vector<bool>(count, false);

  // One clock for everything: node i runs forward at time i and backward at time 2 count - i.
  const auto backward_time = [&](std::size_t node) { return int(2 * count - node); };
  const int after_forward = int(count), forever = std::numeric_limits<int>::max() - 1;

  // Physical forms.
  values_.resize(count);
  grads_.resize(count);
  std::vector<std::vector<TensorDesc>> in_descs(count);
  for (std::size_t i = 0; i < count; ++i) {
    const Graph::Node& node = nodes[i];
    for (int in : node.in) in_descs[i].push_back(values_[std::size_t(in)].desc);
    Format format;
    if (node.source == Source::input) format = device.input_format(node.shape);
    if (node.source == Source::op) format = device.output_format(node.op, in_descs[i], node.shape);
    values_[i].desc = {node.shape, format};
    grads_[i].desc = values_[i].desc;
  }

  // Kernels, and who writes a gradient first.
  const std::vector<int> grad_block =
      training ? share_gradients(graph, live, needs_grad) : std::vector<int>(count, -1);
  std::vector<bool> written(count, false);
  written[std::size_t(output_)] = true;
  for (std::size_t i = count; i-- > 0;) {
    const Graph::Node& node = nodes[i];
    if (node.source != Source::op || !live[i]) continue;
    Step step;
    step.kind = kind(node.op);
    step.name = node.name;
    step.node = int(i);
    step.reads = backward_reads(node.op);
    step.runs_backward = needs_grad[i];
    std::array<bool, kMaxInputs> wanted{};
    for (std::size_t k = 0; k < node.in.size(); ++k) {
      const auto in = std::size_t(node.in[k]);
      const bool shared = training && needs_grad[i] && nodes[in].source == Source::op && needs_grad[in] &&
                          !written[in] && grad_block[in] != int(in) && grad_block[in] == grad_block[i];
      wanted[k] = needs_grad[in];
      const bool is_param = nodes[in].source == Source::param;
      step.mode.push_back(!needs_grad[in] || shared ? GradMode::skip
                          : is_param || written[in] ? GradMode::accumulate
                                                    : GradMode::overwrite);
      if (needs_grad[in]) written[in] = true;
    }
    step.kernel = device.compile(
        {node.op, in_descs[i], values_[i].desc, mode, std::span<const bool>(wanted.data(), node.in.size())});
    steps_.push_back(std::move(step));
  }
  std::ranges::reverse(steps_);

  // Lifetimes.
  std::vector<int> last_use(count), grad_first(count, forever), grad_last(count, 0);
  for (std::size_t i = 0; i < count; ++i) {
    last_use[i] = nodes[i].source == Source::input ? forever : int(i);
    if (!live[i]) continue;
    const bool has_backward = training && nodes[i].source == Source::op && needs_grad[i];
    for (int in : nodes[i].in) {
      int& last = last_use[std::size_t(in)];
      last = std::max(last, int(i));
      if (has_backward && backward_reads(nodes[i].op).inputs) last = std::max(last, backward_time(i));
    }
    if (has_backward && backward_reads(nodes[i].op).output)
      last_use[i] = std::max(last_use[i], backward_time(i));
  }
  auto& output_last = last_use[std::size_t(output_)];
  output_last = std::max(output_last, after_forward);

  std::vector<Lifetime> blocks;
  const auto add_block = [&](std::size_t bytes, int first, int last) {
    blocks.push_back({bytes, first, last});
    unshared_bytes_ += bytes;
    return int(blocks.size()) - 1;
  };
  std::vector<int> value_block(count, -1), grad_lifetime(count, -1), saved_block(steps_.size(), -1);
  std::vector<std::array<int, 2>> workspace_block(steps_.size(), {-1, -1});
  for (std::size_t i = 0; i < count; ++i) {
    if (!live[i] || nodes[i].source == Source::param) continue;
    const int first = nodes[i].source == Source::input ? -1 : int(i);
    value_block[i] = add_block(values_[i].desc.bytes(), first, last_use[i]);
    if (!needs_grad[i]) continue;
    const auto root = std::size_t(grad_block[i]);
    for (int in : nodes[i].in) {  // consumers write the gradients of what they read
      int& first_write = grad_first[std::size_t(in)];
      first_write = first_write == forever ? backward_time(i) : std::min(first_write, backward_time(i));
    }
    grad_last[root] =
        std::max(grad_last[root], nodes[i].source == Source::input ? forever : backward_time(i));
  }
  grad_first[std::size_t(output_)] = after_forward;
  for (std::size_t i = 0; i < count; ++i)
    if (live[i] && needs_grad[i] && nodes[i].source != Source::param && grad_block[i] == int(i))
      grad_lifetime[i] = add_block(grads_[i].desc.bytes(), grad_first[i], grad_last[i]);
  for (std::size_t s = 0; s < steps_.size(); ++s) {
    const Step& step = steps_[s];
    const int forward = step.node, backward = backward_time(std::size_t(step.node));
    const bool goes_back = training && step.runs_backward;
    if (training && step.kernel->saved_bytes() > 0)
      saved_block[s] = add_block(step.kernel->saved_bytes(), forward, goes_back ? backward : forward);
    if (const std::size_t bytes = step.kernel->workspace_bytes(); bytes > 0) {
      workspace_block[s][0] = add_block(bytes, forward, forward);
      if (goes_back) workspace_block[s][1] = add_block(bytes, backward, backward);
    }
  }

  arena_ = Buffer<std::byte>(plan_offsets(blocks, kAlignment));
  const auto address = [&](int block) {
    return block < 0 ? nullptr : arena_.data() + blocks[std::size_t(block)].offset;
  };

  // Addresses.
  for (std::size_t i = 0; i < count; ++i) {
    if (nodes[i].source == Source::param) {
      const std::size_t offset = params.layout().param_offset(nodes[i].param);
      values_[i].data = params.values().data() + offset;
      if (needs_grad[i]) grads_[i].data = params.grads().data() + offset;
    } else {
      values_[i].data = address(value_block[i]);
      if (live[i] && needs_grad[i]) grads_[i].data = address(grad_lifetime[std::size_t(grad_block[i])]);
    }
  }
  for (std::size_t s = 0; s < steps_.size(); ++s) {
    Step& step = steps_[s];
    step.out = values_[std::size_t(step.node)];
    step.dout = grads_[std::size_t(step.node)];
    for (int in : nodes[std::size_t(step.node)].in) {
      step.in.push_back(values_[std::size_t(in)]);
      step.din.push_back(grads_[std::size_t(in)]);
    }
    step.saved = address(saved_block[s]);
    step.forward_workspace = address(workspace_block[s][0]);
    step.backward_workspace = address(workspace_block[s][1]);
  }

  if (options.poison) {
    std::memset(arena_.data(), 0xff, arena_.size());
    for (const Lifetime& b : blocks)
      if (b.last < forever) poisons_.push_back({b.last, b.offset, b.size});
    std::ranges::stable_sort(poisons_, {}, &Poison::time);
  }
}

void Plan::write_input(Value input, std::span<const float> values) {
  const Tensor& to = values_.at(std::size_t(input.id));
  if (std::int64_t(values.size()) != to.shape().elements())
    throw Error(ErrorKind::internal, fmt::format("plan: {} numbers given for an input of shape {}",
                                                 values.size(), to_string(to.shape())));
  if (to.data == nullptr) return;  // an input that the output does not depend on
  convert({{to.shape(), {DType::f32, 1}}, const_cast<float*>(values.data())}, to);
}

void Plan::load_params() {
  for (Step& step : steps_) step.kernel->load_params(step.in);
  loaded_version_ = params_->version();
}

void Plan::poison_after(int time) {
  const auto range = std::ranges::equal_range(poisons_, time, {}, &Poison::time);
  for (const Poison& p : range) std::memset(arena_.data() + p.offset, 0xff, p.size);
}

namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

void Plan::forward(const RunContext& context) {
  if (loaded_version_ != params_->version()) load_params();
  for (Step& step : steps_) {
    const auto start = std::chrono::steady_clock::now();
    step.kernel->forward({step.in, step.out, step.saved, step.forward_workspace, &context});
    if (observer_) observer_(step.timing(false, seconds_since(start)));
    if (!poisons_.empty()) poison_after(step.node);
  }
}

void Plan::backward(std::span<const float> output_grad, const RunContext& context) {
  const Tensor& dout = grads_[std::size_t(output_)];
  if (dout.data == nullptr)
    throw Error(ErrorKind::internal, "plan: backward() needs training mode and something to train");
  if (std::int64_t(output_grad.size()) != dout.shape().elements())
    throw Error(ErrorKind::internal, fmt::format("plan: {} gradients given for an output of shape {}",
                                                 output_grad.size(), to_string(dout.shape())));
  if (!poisons_.empty()) poison_after(node_count_);
  convert({{dout.shape(), {DType::f32, 1}}, const_cast<float*>(output_grad.data())}, dout);
  for (auto s = steps_.rbegin(); s != steps_.rend(); ++s) {
    Step& step = *s;
    if (!step.runs_backward) continue;
    const auto start = std::chrono::steady_clock::now();
    step.kernel->backward(
        {step.in, step.out, step.dout, step.din, step.mode, step.saved, step.backward_workspace, &context});
    if (observer_) observer_(step.timing(true, seconds_since(start)));
    if (!poisons_.empty()) poison_after(2 * node_count_ - step.node);
  }
}

void Plan::read_output(std::span<float> values) const {
  const Tensor& from = values_[std::size_t(output_)];
  convert(from, {{from.shape(), {DType::f32, 1}}, values.data()});
}

void Plan::read_output(std::span<double> values) const {
  const Tensor& from = values_[std::size_t(output_)];
  convert(from, {{from.shape(), {DType::f64, 1}}, values.data()});
}

void Plan::read_input_grad(Value input, std::span<double> values) const {
  const Tensor& from = grads_.at(std::size_t(input.id));
  if (from.data == nullptr)
    throw Error(ErrorKind::internal,
                "plan: this input has no gradient; ask for it with PlanOptions::input_grads");
  convert(from, {{from.shape(), {DType::f64, 1}}, values.data()});
}

}  // namespace diffusion
