#include "train/optimizer.h"

#include <cmath>
#include <span>

#include "device/host_numbers.h"
#include "train/muon.h"

namespace diffusion {

namespace {

// AdamW's ranges are as long as they can be, with the gaps between parameters.
UpdateSpec update_spec(const ParamLayout& layout, const OptimizerOptions& options, const ParamRange& owned) {
  UpdateSpec spec;
  spec.beta1 = options.beta1;
  spec.beta2 = options.beta2;
  spec.eps = options.eps;
  spec.weight_decay = options.weight_decay;
  std::size_t begin = owned.begin;
  const auto end_range = [&](std::size_t end) {
    if (begin < end) spec.adamw.push_back({begin, end});
  };
  for (const ParamLayout::Entry& entry : layout.entries()) {
    if (entry.offset < owned.begin || entry.offset >= owned.end) continue;
    const bool muon = options.kind == OptimizerKind::muon && is_muon_matrix(entry);
    if (entry.trainable && !muon) continue;
    if (muon) spec.muon.push_back(muon_matrix(entry));
    end_range(entry.offset);
    begin = entry.offset + entry.size;
  }
  end_range(owned.end);
  return spec;
}

}  // namespace

std::string_view to_string(OptimizerKind kind) {
  return kind == OptimizerKind::muon ? "muon" : "adamw";
}

Optimizer::Optimizer(LearnedParams& params, const Device& device, const OptimizerOptions& options,
                     const ParamRange& owned)
    : params_(&params),
      options_(options),
      kernel_(device.compile_update(update_spec(params.layout(), options, owned))),
      numbers_(device.allocate(sizeof(Numbers))) {
  const auto block = [&](std::unique_ptr<DeviceMemory>& memory) {
    const std::size_t size = params.layout().block_size();
    memory = device.allocate(size * sizeof(float));
    return flat_block(memory->address(), size);
  };
  moment1_ = block(moment1_memory_);
  moment2_ = block(moment2_memory_);
  ema_ = block(ema_memory_);
  if (owned.size() > 0)
    queue().write(part_of(ema_, owned), HostNumbers(queue(), part_of(params.values(), owned)).span());
}

double Optimizer::gradient_norm() {
  return std::sqrt(sum_of_squares({0, params_->layout().block_size()}));
}

double Optimizer::sum_of_squares(const ParamRange& range) {
  auto& sum_on_device = reinterpret_cast<Numbers*>(numbers_->address())->sum_of_squares;
  double sum = 0;
  queue().sum_of_squares(*kernel_, part_of(params_->grads(), range), &sum_on_device);
  queue().download(&sum_on_device, std::as_writable_bytes(std::span(&sum, 1)));
  return sum;
}

void Optimizer::update(std::int64_t step, double learning_rate, double gradient_scale, double ema_decay) {
  const UpdateContext context{.learning_rate = learning_rate,
                              .gradient_scale = gradient_scale,
                              .correction1 = 1 - std::pow(options_.beta1, double(step)),
                              .correction2 = 1 - std::pow(options_.beta2, double(step)),
                              .ema_decay = ema_decay};
  auto* context_on_device = &reinterpret_cast<Numbers*>(numbers_->address())->context;
  queue().upload(context_on_device, std::as_bytes(std::span(&context, 1)));
  queue().update(*kernel_, {.gradients = params_->grads(),
                            .values = params_->values(),
                            .moment1 = moment1_,
                            .moment2 = moment2_,
                            .ema = ema_,
                            .context = context_on_device});
  params_->mark_changed();
}

}  // namespace diffusion
