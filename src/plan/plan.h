#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "device/device.h"
#include "graph/graph.h"
#include "plan/device_params.h"
#include "plan/learned_params.h"
#include "plan/param_store.h"
#include "plan/plan_step.h"

namespace diffusion {

struct PlanBlocks;
class RunClock;

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
  // Keep only what goes into and out of the graph's blocks, and compute what is inside again where the
  // backward needs it (training mode): less memory for about one more forward. The same bytes come out.
  bool gradient_checkpointing = false;
};

// A graph made runnable on a device: kernels compiled and every tensor's address fixed, once. Then forward()
// and backward() give the device's queue a call after another and allocate nothing; only what reads waits.
// One plan serves one thread at a time.
class Plan {
 public:
  // `params` must outlive the plan and be laid out for `graph`; graph and device need not stay. Constant
  // parameters have no gradients, and any number of plans and threads may use them at once.
  Plan(const Graph& graph, Value output, const Device& device, Mode mode, const ParamStore& params,
       const PlanOptions& options = {});
  // `params` must be of `device`; in training mode, backward() adds to their gradients.
  Plan(const Graph& graph, Value output, const Device& device, Mode mode, const LearnedParams& params,
       const PlanOptions& options = {});
  ~Plan();
  Plan(Plan&&) noexcept = default;
  Plan& operator=(Plan&&) = delete;

  // Plain NCHW numbers in the graph's shape. Inputs keep their values until written again.
  void write_input(Value input, std::span<const float> values);

  void forward(const RunContext& context = {});

  // Valid from forward() to the next forward() or backward().
  void read_output(std::span<float> values) const;
  void read_output(std::span<double> values) const;

  // Training mode, after forward() in the same context: gradients of a loss from its gradient with respect to
  // the output.
  void backward(std::span<const float> output_grad, const RunContext& context = {});

  // With PlanOptions::input_grads, after backward().
  void read_input_grad(Value input, std::span<double> values) const;

  std::size_t arena_bytes() const { return arena_bytes_; }
  std::size_t unshared_bytes() const { return unshared_bytes_; }  // what the arena would take without sharing

  // Called after every kernel of later runs, which are waited for one by one; empty: none.
  void set_observer(std::function<void(const StepTiming&)> observer) { observer_ = std::move(observer); }

 private:
  struct Poison {
    int time;
    std::size_t offset, size;
  };
  struct LaterRun {  // after all forwards
    std::size_t step;
    bool backward;  // else the forward again
    int time;
  };

  Plan(const Graph& graph, Value output, const Device& device, Mode mode,
       std::optional<DeviceParams> constants, const LearnedParams* learned, const PlanOptions& options);
  void choose_formats(const Graph& graph, const Device& device);
  void compile(const Graph& graph, const Device& device, Mode mode, const std::vector<bool>& live,
               const std::vector<bool>& needs_grad, std::vector<std::vector<GradMode>> modes);
  void order_runs(const RunClock& clock);
  void bind(const Graph& graph, const std::vector<bool>& needs_grad, const PlanBlocks& blocks);
  ParamNumbers param_numbers(int param) const;
  void bind_param(const Graph::Node& node, Tensor& value, Tensor* grad) const;
  void poison_from_now_on(const PlanBlocks& blocks);

  std::uint64_t params_version() const { return learned_ ? learned_->version() : constants_->version(); }
  void load_params();
  void follow_param_grads();
  void poison_after(int time);
  template <class Call>
  void run(const PlanStep& step, bool backward, int time, const Call& call);

  std::optional<DeviceParams> constants_;   // either these
  const LearnedParams* learned_ = nullptr;  // or these
  std::uint64_t loaded_version_ = 0;
  void* param_grads_ = nullptr;   // the block that the steps' gradients of parameters lie in
  std::shared_ptr<Queue> queue_;  // none: moved from
  int output_ = -1;
  std::vector<Tensor> values_, grads_;  // by node; data == nullptr where there is none
  std::vector<PlanStep> steps_;         // in execution order
  std::vector<LaterRun> later_runs_;    // in execution order
  std::vector<Poison> poisons_;         // by time; empty unless asked for
  std::unique_ptr<DeviceMemory> arena_;
  RunContext* context_ = nullptr;  // on the device, behind the blocks of the arena
  std::size_t arena_bytes_ = 0, unshared_bytes_ = 0;
  std::function<void(const StepTiming&)> observer_;
};

}  // namespace diffusion
