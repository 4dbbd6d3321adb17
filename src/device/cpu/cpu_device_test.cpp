#include <diffusion/device.h>

#include <gtest/gtest.h>

#include <array>

#include <diffusion/error.h>
#include "device/cpu/cpu_device.h"
#include "device/device.h"

namespace diffusion {
namespace {

TEST(CpuDevice, AutomaticIsBf16OnlyWhereTheCpuMultipliesIt) {
  EXPECT_TRUE(fastest_precision() == Precision::f32 || multiplies_bf16());
  if (multiplies_bf16())
    EXPECT_NO_THROW(make_cpu_device(Precision::bf16));
  else
    EXPECT_THROW(make_cpu_device(Precision::bf16), Error);
}

TEST(CpuDevice, ConvolutionsAreTilesWhereTheCpuHasThem) {
  if (!cpu_description().starts_with("amx_bf16")) GTEST_SKIP() << "no AMX: " << cpu_description();
  EXPECT_EQ(fastest_precision(), Precision::bf16);
  const auto device = make_cpu_device();
  const Shape x{2, 40, 9, 9}, weight{24, 40, 3, 3}, y{2, 24, 9, 9};
  const std::array<TensorDesc, 2> in{TensorDesc{x, device->input_format(x)}, TensorDesc{weight, {}}};
  const Op op = Conv2d{1, 1, 1, 1, 1};
  const std::array<bool, 2> needs_grad{true, true};
  const KernelSpec spec{op, in, {y, device->output_format(op, in, y)}, Mode::training, needs_grad};
  EXPECT_EQ(device->compile(spec)->implementation(), "tiles");
}

}  // namespace
}  // namespace diffusion
