#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "device/device.h"
#include "graph/graph.h"
#include "plan/param_store.h"

namespace diffusion {

#ifdef NDEBUG
inline constexpr bool kDebugBuild = false;
#else
inline constexpr bool kDebugBuild = true;
#endif

struct PlanOptions {
  // Fill a block with NaN when its life ends, so that a mistake of the planner or of a kernel is loud.
  bool poison = kDebugBuild;
  // Compute gradients of the graph's inputs too (training mode).
  bool input_grads = false;
};

// One kernel call of a run, as an observer sees it.
struct StepTiming {
  std::string_view kind, name, implementation;
  int node;  // of the graph
  bool backward;
  double seconds;
  double bytes;  // every tensor that the call must read or write, once
};

// A graph made runnable on a device: kernels compiled and every tensor's address fixed, once. Then forward()
// and backward() are two plain loops that allocate nothing. One plan serves one thread at a time.
class Plan {
 public:
  // `params` must outlive the plan and be laid out for `graph`; graph and device need not stay.
  Plan(const Graph& graph, Value output, const Device& device, Mode mode, ParamStore& params,
       const PlanOptions& options = {});
  ~Plan();
  Plan(Plan&&) noexcept;
  Plan& operator=(Plan&&) noexcept;

  // Plain NCHW numbers in the graph's shape. Inputs keep their values until written again.
  void write_input(Value input, std::span<const float> values);

  void forward(const RunContext& context = {});

  // Valid from forward() to the next forward() or backward().
  void read_output(std::span<float> values) const;
  void read_output(std::span<double> values) const;

  // Training mode, after forward(): gradients of a loss from its gradient with respect to the output. Those
  // of parameters are added to ParamStore::grads().
  void backward(std::span<const float> output_grad, const RunContext& context = {});

  // With PlanOptions::input_grads, after backward().
  void read_input_grad(Value input, std::span<double> values) const;

  std::size_t arena_bytes() const { return arena_.size(); }
  std::size_t unshared_bytes() const { return unshared_bytes_; }  // what the arena would take without sharing

  // Called after every kernel of later runs; empty: none.
  void set_observer(std::function<void(const StepTiming&)> observer) { observer_ = std::move(observer); }

 private:
  struct Step;
  struct Poison {
    int time;
    std::size_t offset, size;
  };

  void load_params();
  void poison_after(int time);

  ParamStore* params_;
  std::uint64_t loaded_version_ = 0;
  int node_count_ = 0;
  int output_ = -1;
  std::vector<Tensor> values_, grads_;  // by node; data == nullptr where there is none
  std::vector<Step> steps_;             // in execution order
  std::vector<Poison> poisons_;         // by time; empty unless asked for
  Buffer<std::byte> arena_;
  std::size_t unshared_bytes_ = 0;
  std::function<void(const StepTiming&)> observer_;
};

}  // namespace diffusion
