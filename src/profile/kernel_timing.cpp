#include "profile/kernel_timing.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "base/rng.h"

namespace diffusion {

namespace {

constexpr std::size_t kMaxInputs = 8;
constexpr std::size_t kMostCalls = 1000;

void fill(Queue& queue, const Tensor& tensor, std::vector<float> values, std::uint32_t which) {
  if (values.empty()) {
    values.resize(std::size_t(tensor.shape().elements()));
    fill_normal({1, Stream::train_noise, which, 0}, values);
  }
  queue.write(tensor, values);
}

double bytes_of(std::span<const Tensor> tensors) {
  double bytes = 0;
  for (const Tensor& t : tensors) bytes += double(t.desc.bytes());
  return bytes;
}

}  // namespace

TimedKernel::TimedKernel(const Op& op, std::span<const TimedInput> inputs, const Device& device)
    : queue_(device.queue()), reads_inputs_(backward_reads(op).inputs) {
  const auto allocate = [&](std::size_t bytes) {
    return memory_.emplace_back(device.allocate(bytes))->address();
  };
  std::vector<TensorDesc> descs;
  std::vector<Shape> shapes;
  std::array<bool, kMaxInputs> needs_grad{};
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    const TimedInput& input = inputs[k];
    const TensorDesc desc{input.shape, input.is_param ? Format{} : device.input_format(input.shape)};
    shapes.push_back(input.shape);
    descs.push_back(desc);
    needs_grad[k] = input.needs_grad;
    mode_.push_back(!input.needs_grad ? GradMode::skip
                    : input.is_param  ? GradMode::accumulate
                                      : GradMode::overwrite);
    in_.push_back({desc, allocate(desc.bytes())});
    din_.push_back({desc, allocate(desc.bytes())});
    fill(*queue_, in_[k], input.values, std::uint32_t(k));
  }
  const Shape shape = infer(op, shapes);
  const TensorDesc out{shape, device.output_format(op, descs, shape)};
  out_ = {out, allocate(out.bytes())};
  dout_ = {out, allocate(out.bytes())};
  fill(*queue_, dout_, {}, kMaxInputs);
  kernel_ = device.compile(
      {op, descs, out, Mode::training, std::span<const bool>(needs_grad.data(), descs.size())});
  saved_ = allocate(kernel_->saved_bytes());
  workspace_ = allocate(kernel_->workspace_bytes());
  context_ = reinterpret_cast<RunContext*>(allocate(sizeof(RunContext)));
  const RunContext context{.seed = 1, .step = 1};
  queue_->upload(context_, std::as_bytes(std::span(&context, 1)));
  queue_->load_params(*kernel_, in_);
  queue_->wait();
}

void TimedKernel::forward() {
  queue_->forward(*kernel_, {in_, out_, saved_, workspace_, context_});
  queue_->wait();
}

void TimedKernel::backward() {
  run_backward(mode_);
}

void TimedKernel::backward_of(const std::vector<bool>& inputs) {
  std::vector<GradMode> mode = mode_;
  for (std::size_t k = 0; k < mode.size(); ++k)
    if (!inputs[k]) mode[k] = GradMode::skip;
  run_backward(mode);
}

void TimedKernel::run_backward(std::span<const GradMode> mode) {
  queue_->backward(*kernel_, {in_, out_, dout_, din_, mode, saved_, workspace_, context_});
  queue_->wait();
}

double TimedKernel::forward_bytes() const {
  return bytes_of(in_) + double(out_.desc.bytes());
}

double TimedKernel::backward_bytes() const {
  double bytes = double(dout_.desc.bytes()) + (reads_inputs_ ? bytes_of(in_) : 0);
  for (std::size_t k = 0; k < din_.size(); ++k)
    if (mode_[k] != GradMode::skip) bytes += double(din_[k].desc.bytes());
  return bytes;
}

Timing time_calls(const std::function<void()>& call, double seconds) {
  using Clock = std::chrono::steady_clock;
  call();
  std::vector<double> times;
  double total = 0;
  while (times.size() < 5 || (total < seconds && times.size() < kMostCalls)) {
    const auto start = Clock::now();
    call();
    times.push_back(std::chrono::duration<double>(Clock::now() - start).count());
    total += times.back();
  }
  std::ranges::sort(times);
  return {times.front(), times[times.size() / 2]};
}

}  // namespace diffusion
