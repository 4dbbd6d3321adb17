#include "plan/learned_params.h"

namespace diffusion {

LearnedParams::LearnedParams(ParamStore& host, const Device& device) : host_(&host), queue_(device.queue()) {
  const std::size_t size = host.layout().block_size();
  if (!queue_->uses_host_memory()) copy_ = device.allocate(size * sizeof(float));
  grad_memory_ = device.allocate(size * sizeof(float));
  values_ = flat_block(
      copy_ ? static_cast<void*>(copy_->address()) : static_cast<void*>(host.values().data()), size);
  grads_ = flat_block(grad_memory_->address(), size);
  upload();
}

LearnedParams::LearnedParams(const LearnedParams& of, const Device& device)
    : host_(of.host_), of_(&of), queue_(device.queue()), values_(of.values_), grads_(of.grads_) {}

void LearnedParams::zero_grads() {
  queue_->fill(grads_.data, grads_.desc.bytes(), std::byte{0});
}

void LearnedParams::mark_changed() {
  if (copy_)
    ++version_;
  else
    host_->mark_changed();
}

std::uint64_t LearnedParams::version() const {
  if (of_) return of_->version();
  return copy_ ? version_ : host_->version();
}

void LearnedParams::upload() {
  if (copy_) queue_->write(values_, host_->values());
  mark_changed();
}

void LearnedParams::download() {
  if (!copy_) {
    queue_->wait();
    return;
  }
  queue_->read(values_, host_->values());
  host_->mark_changed();
}

}  // namespace diffusion
