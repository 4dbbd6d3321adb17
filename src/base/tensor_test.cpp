#include "base/tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include <diffusion/error.h>

namespace diffusion {
namespace {

TEST(Bf16, RoundsToNearestEvenAndKeepsSpecials) {
  EXPECT_EQ(from_bf16(to_bf16(1.f)), 1.f);
  EXPECT_EQ(to_bf16(1.f + 0x1p-8f), to_bf16(1.f));                // a tie: to even
  EXPECT_EQ(to_bf16(1.f + 3 * 0x1p-8f), to_bf16(1.f + 0x1p-6f));  // a tie: to even, upwards
  EXPECT_EQ(from_bf16(to_bf16(1.f + 0x1.2p-8f)), 1.f + 0x1p-7f);
  EXPECT_TRUE(std::isnan(from_bf16(to_bf16(std::nanf("")))));
  EXPECT_EQ(from_bf16(to_bf16(std::numeric_limits<float>::infinity())),
            std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isinf(from_bf16(to_bf16(std::numeric_limits<float>::max()))));
}

TEST(Tensor, OneFormulaDescribesEveryLayout) {
  const Shape shape{2, 5, 2, 3};
  EXPECT_EQ((TensorDesc{shape, {DType::f32, 1}}.offset(1, 3, 4)), 1 * 30 + 3 * 6 + 4);  // NCHW
  EXPECT_EQ((TensorDesc{shape, {DType::f32, 5}}.offset(1, 3, 4)), 1 * 30 + 4 * 5 + 3);  // NHWC
  EXPECT_EQ((TensorDesc{shape, {DType::f32, 4}}.offset(1, 4, 2)), (1 * 2 + 1) * 24 + 2 * 4 + 0);
  EXPECT_EQ((TensorDesc{shape, {DType::bf16, 4}}.bytes()), std::size_t(2 * 8 * 6 * 2));
}

TEST(Tensor, ConvertsBetweenAnyTwoFormatsAndClearsPadding) {
  const Shape shape{2, 5, 3, 2};
  std::vector<float> plain(std::size_t(shape.elements()));
  for (std::size_t i = 0; i < plain.size(); ++i) plain[i] = float(int(i) - 30);  // exact in bf16
  const Tensor from{{shape, {DType::f32, 1}}, plain.data()};
  for (DType dtype : {DType::f32, DType::bf16, DType::f64})
    for (int block : {1, 5, 4, 8, 16}) {
      const TensorDesc desc{shape, {dtype, block}};
      std::vector<std::byte> memory(desc.bytes(), std::byte(0xff));
      const Tensor middle{desc, memory.data()};
      convert(from, middle);
      for (std::int64_t c = shape.c; c < desc.blocks() * block; ++c)
        EXPECT_EQ(load(middle, 1, c, 3), 0) << block;
      std::vector<float> back(plain.size(), -1);
      convert(middle, {{shape, {DType::f32, 1}}, back.data()});
      EXPECT_EQ(back, plain) << "block " << block;
    }
}

TEST(Tensor, ConvertRefusesOtherShapes) {
  std::vector<float> a(6), b(6);
  EXPECT_THROW(convert({{{1, 2, 3, 1}, {}}, a.data()}, {{{1, 3, 2, 1}, {}}, b.data()}), Error);
}

}  // namespace
}  // namespace diffusion
