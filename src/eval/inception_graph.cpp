#include "eval/inception_graph.h"

#include <fmt/format.h>

#include <cstdint>
#include <string_view>

namespace diffusion {

namespace {

constexpr AvgPool kMeanOfNeighbors{3, 1, 1};
constexpr MaxPool kLargestNeighbor{3, 1, 1}, kHalving{3, 2, 0};

struct Size {
  std::int64_t height, width;
};
constexpr Size k1x1{1, 1}, k3x3{3, 3}, k5x5{5, 5}, k1x3{1, 3}, k3x1{3, 1}, k1x7{1, 7}, k7x1{7, 1};

// Blocks are lettered as in the ports to PyTorch.
class Builder {
 public:
  explicit Builder(Graph& g) : g_(g) {}

  // Convolution and ReLU, without a border.
  Value valid(const std::string& name, Value x, std::int64_t channels, Size kernel, int stride = 1) {
    return convolution(name, x, channels, kernel, Conv2d{.stride = stride});
  }
  // The same with a border that keeps the size.
  Value same(const std::string& name, Value x, std::int64_t channels, Size kernel) {
    const int rows = int(kernel.height / 2), columns = int(kernel.width / 2);
    return convolution(name, x, channels, kernel, Conv2d{1, rows, columns, rows, columns});
  }
  Value pool(const std::string& name, Value x, const Op& op) { return g_.add(op, {x}, name); }

  // 35 x 35 pixels.
  Value block_a(const std::string& name, Value x, std::int64_t pool_channels) {
    const Value one = same(name + ".branch1x1", x, 64, k1x1);
    const Value five = same(name + ".branch5x5_2", same(name + ".branch5x5_1", x, 48, k1x1), 64, k5x5);
    Value twice = same(name + ".branch3x3dbl_1", x, 64, k1x1);
    twice = same(name + ".branch3x3dbl_2", twice, 96, k3x3);
    twice = same(name + ".branch3x3dbl_3", twice, 96, k3x3);
    const Value pooled = pool(name + ".pool", x, kMeanOfNeighbors);
    return concat(name, {one, five, twice, same(name + ".branch_pool", pooled, pool_channels, k1x1)});
  }
  // To 17 x 17.
  Value block_b(const std::string& name, Value x) {
    const Value three = valid(name + ".branch3x3", x, 384, k3x3, 2);
    Value twice = same(name + ".branch3x3dbl_1", x, 64, k1x1);
    twice = same(name + ".branch3x3dbl_2", twice, 96, k3x3);
    twice = valid(name + ".branch3x3dbl_3", twice, 96, k3x3, 2);
    return concat(name, {three, twice, pool(name + ".pool", x, kHalving)});
  }
  Value block_c(const std::string& name, Value x, std::int64_t inner) {
    const Value one = same(name + ".branch1x1", x, 192, k1x1);
    Value seven = same(name + ".branch7x7_1", x, inner, k1x1);
    seven = same(name + ".branch7x7_2", seven, inner, k1x7);
    seven = same(name + ".branch7x7_3", seven, 192, k7x1);
    Value twice = same(name + ".branch7x7dbl_1", x, inner, k1x1);
    twice = same(name + ".branch7x7dbl_2", twice, inner, k7x1);
    twice = same(name + ".branch7x7dbl_3", twice, inner, k1x7);
    twice = same(name + ".branch7x7dbl_4", twice, inner, k7x1);
    twice = same(name + ".branch7x7dbl_5", twice, 192, k1x7);
    const Value pooled = pool(name + ".pool", x, kMeanOfNeighbors);
    return concat(name, {one, seven, twice, same(name + ".branch_pool", pooled, 192, k1x1)});
  }
  // To 8 x 8.
  Value block_d(const std::string& name, Value x) {
    const Value three = valid(name + ".branch3x3_2", same(name + ".branch3x3_1", x, 192, k1x1), 320, k3x3, 2);
    Value seven = same(name + ".branch7x7x3_1", x, 192, k1x1);
    seven = same(name + ".branch7x7x3_2", seven, 192, k1x7);
    seven = same(name + ".branch7x7x3_3", seven, 192, k7x1);
    seven = valid(name + ".branch7x7x3_4", seven, 192, k3x3, 2);
    return concat(name, {three, seven, pool(name + ".pool", x, kHalving)});
  }
  Value block_e(const std::string& name, Value x, const Op& pooling) {
    const Value one = same(name + ".branch1x1", x, 320, k1x1);
    const Value three = same(name + ".branch3x3_1", x, 384, k1x1);
    const Value three_wide = same(name + ".branch3x3_2a", three, 384, k1x3),
                three_high = same(name + ".branch3x3_2b", three, 384, k3x1);
    const Value twice =
        same(name + ".branch3x3dbl_2", same(name + ".branch3x3dbl_1", x, 448, k1x1), 384, k3x3);
    const Value twice_wide = same(name + ".branch3x3dbl_3a", twice, 384, k1x3),
                twice_high = same(name + ".branch3x3dbl_3b", twice, 384, k3x1);
    const Value pooled = same(name + ".branch_pool", pool(name + ".pool", x, pooling), 192, k1x1);
    return concat(name, {one, three_wide, three_high, twice_wide, twice_high, pooled});
  }

 private:
  Value convolution(const std::string& name, Value x, std::int64_t channels, Size kernel,
                    const Conv2d& geometry) {
    const Shape shape{channels, g_.shape(x).c, kernel.height, kernel.width};
    const Value weight = g_.param({{{name + ".weight", {shape.n, shape.c, shape.h, shape.w}}}, {}}, shape),
                bias = g_.param({{{name + ".bias", {channels}}}, {}}, {1, channels, 1, 1});
    return pool(name + ".relu", g_.add(geometry, {x, weight, bias}, name), Activate{Activation::relu});
  }
  Value concat(const std::string& name, const std::vector<Value>& parts) {
    Value all = parts.front();
    for (std::size_t k = 1; k < parts.size(); ++k)
      all = g_.add(Concat{}, {all, parts[k]}, fmt::format("{}.concat{}", name, k));
    return all;
  }

  Graph& g_;
};

}  // namespace

InceptionGraph make_inception_graph(int n) {
  InceptionGraph net;
  net.sample = net.graph.input("sample", {n, 3, kInceptionSide, kInceptionSide});
  Builder b(net.graph);
  Value x = b.valid("Conv2d_1a_3x3", net.sample, 32, k3x3, 2);
  x = b.valid("Conv2d_2a_3x3", x, 32, k3x3);
  x = b.same("Conv2d_2b_3x3", x, 64, k3x3);
  x = b.pool("pool1", x, kHalving);
  x = b.valid("Conv2d_3b_1x1", x, 80, k1x1);
  x = b.valid("Conv2d_4a_3x3", x, 192, k3x3);
  x = b.pool("pool2", x, kHalving);
  x = b.block_a("Mixed_5b", x, 32);
  x = b.block_a("Mixed_5c", x, 64);
  x = b.block_a("Mixed_5d", x, 64);
  x = b.block_b("Mixed_6a", x);
  x = b.block_c("Mixed_6b", x, 128);
  x = b.block_c("Mixed_6c", x, 160);
  x = b.block_c("Mixed_6d", x, 160);
  x = b.block_c("Mixed_6e", x, 192);
  x = b.block_d("Mixed_7a", x);
  x = b.block_e("Mixed_7b", x, kMeanOfNeighbors);
  x = b.block_e("Mixed_7c", x, kLargestNeighbor);
  net.features = b.pool("pool3", x, AvgPool{8, 1, 0});
  return net;
}

}  // namespace diffusion
