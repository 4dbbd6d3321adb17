#include "device/cpu/onednn_call.h"

#include <fmt/format.h>

#include <diffusion/error.h>

namespace diffusion::onednn {

namespace {

// Each thread that runs a plan has a stream of its own.
dnnl::stream& stream() {
  thread_local dnnl::stream s(engine());
  return s;
}

}  // namespace

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

void rethrow(const dnnl::error& e, std::string_view what) {
  if (e.status == dnnl_out_of_memory)
    throw Error(ErrorKind::memory, fmt::format("not enough memory for {}", what));
  throw Error(ErrorKind::internal, fmt::format("oneDNN refused {}: {}", what, e.what()));
}

data_type type_of(DType dtype) {
  return dtype == DType::bf16 ? data_type::bf16 : data_type::f32;
}

memory::desc activation_desc(const TensorDesc& t) {
  const tag layout = t.format.channel_block == 16  ? tag::nChw16c
                     : t.format.channel_block == 8 ? tag::nChw8c
                                                   : tag::nchw;
  return {{t.shape.n, t.shape.c, t.shape.h, t.shape.w}, type_of(t.format.dtype), layout};
}

dnnl::primitive_attr user_scratchpad() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

std::size_t padded_bytes(const memory::desc& desc) {
  return (desc.get_size() + 63) / 64 * 64;
}

void Call::argument(int index, const memory::desc& desc) {
  memories_[std::size_t(count_)] = memory(desc, engine(), DNNL_MEMORY_NONE);
  arguments_[std::size_t(count_)] = {index, memories_[std::size_t(count_)].get()};
  ++count_;
}

void Call::run(std::initializer_list<const void*> addresses) {
  int i = 0;
  for (const void* address : addresses)
    memories_[std::size_t(i++)].set_data_handle(const_cast<void*>(address));
  const dnnl_status_t status =
      dnnl_primitive_execute(primitive_.get(), stream().get(), count_, arguments_.data());
  if (status != dnnl_success)
    throw Error(status == dnnl_out_of_memory ? ErrorKind::memory : ErrorKind::internal,
                fmt::format("oneDNN failed to run a primitive (status {})", int(status)));
}

}  // namespace diffusion::onednn
