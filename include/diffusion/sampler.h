#pragma once

// Every sampler, as plain data: which one, and with which options. A sampler is a small struct: its members
// are its options with their defaults, facts() tells what it does with them, and options(), if there are any
// that a person may set by name, lists those.
//
// What samplers do is in docs/samplers.md; sampling.h has how they run.

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace diffusion {

class SamplerCoroutine;  // sampling.h
struct SamplerState;

// Which levels a spacing by timesteps, or by the time of a flow, comes to. Samplers differ in it because
// their papers do, and those of diffusers as they do.
//   whole_timesteps      equal steps are rounded to whole timesteps
//   real_timesteps       they are not, and sigma is linear between two timesteps
//   with_end             they are rounded, and the end is one of them: they divide by steps + 1
//   with_end_from_noise  the same
// Of a flow they are equal steps of time from 1 to 1 / T, both included (whole_timesteps, real_timesteps);
// (1 - 1 / T) (1 - i / steps) (with_end); and 1 - (1 - 1 / T) i / steps, with 1 - 1e-6 for 1
// (with_end_from_noise).
enum class LevelGrid { whole_timesteps, real_timesteps, with_end, with_end_from_noise };

// `order` is what a test measures from sigma 80 down to 0.002 on Karras' levels. The first steps have little
// history, but at high noise D hardly changes, so this does not show; from a low noise level most multistep
// samplers are of order 2. pndm and ipndm are of order 4 where the levels are equally spaced.
//
// small_steps: these average slopes at both ends of a step over sigma. Where the first sigma is 1000 times
// the second, as it can be for timesteps of the cosine schedule or with zero terminal SNR, an error at the
// second counts 500-fold. Spacing::logsnr suits them on every model.
//
// consistency: D must tell where the ODE ends that passes through x, as models of `diffusion distill` do, not
// the mean of all images that x can come from. Spacing::angle suits it.
struct SamplerFacts {
  int order = 0;              // the error of the ODE's solution falls as steps^-order; 0: not of the ODE
  int values = 1;             // of D that a step combines
  int evaluations = 1;        // of D in a step; one in a step to 0
  int extra_evaluations = 0;  // in the first of several steps
  bool stochastic = false;    // draws noise
  bool small_steps = false;   // goes wrong where sigma falls by a large factor in a step
  bool consistency = false;   // D must be a consistency function
  bool ascends = false;       // may go up as well as down
  int usual_steps = 20;       // many steps do not help if several values are combined: docs/samplers.md
  LevelGrid grid = LevelGrid::real_timesteps;  // of the levels that it goes down
};

// An option of the sampler S that can be set by name; accepted are least to most.
template <class S>
struct SamplerOption {
  std::string_view name;
  double S::*member;
  double least, most;
};

// Variance of the noise that a step of ddpm adds (Ho et al. 2020, section 3.2): that of the posterior
// q(x_{t-1} | x_t, x_0), or beta_t. diffusers: fixed_small, fixed_large.
enum class DdpmVariance { posterior, beta };

// Changes an estimate of the clean image in place, to keep it in range (recipe.h).
using DenoisedLimit = std::function<void(std::span<double> denoised)>;

// Ancestral sampling, Ho et al. 2020 (arXiv 2006.11239), Algorithm 2.
struct Ddpm {
  DdpmVariance variance = DdpmVariance::posterior;

  SamplerFacts facts() const {
    return {.stochastic = true, .usual_steps = 50, .grid = LevelGrid::whole_timesteps};
  }
};

// Song et al. 2020 (arXiv 2010.02502), eq. 12. Without fresh noise it may go up as well as down: then it is
// DDIM inversion, which leads from a picture to the noise that it would come from.
struct Ddim {
  double eta = 0;  // fresh noise: 0 none .. 1 as much as ddpm
  // Applied to D where it is the picture, but not where D tells the noise, as in diffusers; may be empty. (An
  // EstimateLimit that does not spare the noise does both.)
  DenoisedLimit limit = {};

  static constexpr auto options() { return std::array{SamplerOption<Ddim>{"eta", &Ddim::eta, 0, 1}}; }
  SamplerFacts facts() const {
    return {.order = eta > 0 ? 0 : 1,
            .stochastic = eta > 0,
            .ascends = eta == 0,
            .usual_steps = 50,
            .grid = LevelGrid::whole_timesteps};
  }
};

// Euler down, fresh noise up (Crowson, k-diffusion): ddim with other levels and another default.
struct EulerAncestral {
  double eta = 1;  // fresh noise: 0 none .. 1 as much as ddpm
  // If not empty, one for each step, instead of what eta says: where Euler's step ends, at most the next
  // level, to which fresh noise leads.
  std::vector<double> downs = {};

  static constexpr auto options() {
    return std::array{SamplerOption<EulerAncestral>{"eta", &EulerAncestral::eta, 0, 1}};
  }
  SamplerFacts facts() const {
    const bool noisy = eta > 0 || !downs.empty();
    return {.order = noisy ? 0 : 1, .stochastic = noisy, .usual_steps = 50};
  }
};

// Pseudo linear multistep (PLMS), Liu et al. 2022 (arXiv 2202.09778): as ipndm, but the first step is Heun's
// and so takes two evaluations; what the second one says is not remembered.
struct Pndm {
  // Sigmas between the first levels (of PNDM in diffusers), one for each of the first steps, which then are
  // Runge-Kutta steps of fourth order instead (the "PRK" of diffusers): 4 evaluations each.
  std::vector<double> middles = {};

  SamplerFacts facts() const {
    return {.order = 2,
            .values = 4,
            .extra_evaluations = middles.empty() ? 1 : 3 * int(middles.size()),
            .small_steps = true,
            .grid = LevelGrid::whole_timesteps};
  }
};

// Euler's method on the ODE.
struct Euler {
  SamplerFacts facts() const { return {.order = 1, .usual_steps = 50}; }
};

// Heun's method, Karras et al. 2022 (arXiv 2206.00364), Algorithm 1: the trapezoidal rule over sigma, its end
// predicted by Euler.
struct Heun {
  SamplerFacts facts() const { return {.order = 2, .values = 2, .evaluations = 2, .small_steps = true}; }
};

// The same with churn, their Algorithm 2: before a step from a sigma in [s_tmin, s_tmax] noise of s_noise
// N(0, 1) raises sigma by the factor 1 + min(s_churn / steps, sqrt(2) - 1).
struct Edm {
  double s_churn = 40;  // theirs for ImageNet; 0 is heun
  double s_tmin = 0, s_tmax = std::numeric_limits<double>::infinity();
  double s_noise = 1;

  static constexpr auto options() {
    using Option = SamplerOption<Edm>;
    constexpr double kMost = std::numeric_limits<double>::max();
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    return std::array{
        Option{"s_churn", &Edm::s_churn, 0, kMost}, Option{"s_tmin", &Edm::s_tmin, 0, kInfinity},
        Option{"s_tmax", &Edm::s_tmax, 0, kInfinity}, Option{"s_noise", &Edm::s_noise, 0, kMost}};
  }
  SamplerFacts facts() const {
    return {.order = s_churn > 0 ? 0 : 2,
            .values = 2,
            .evaluations = 2,
            .stochastic = s_churn > 0,
            .small_steps = true,
            .usual_steps = 50};
  }
};

// DPM-Solver-2, Lu et al. 2022 (arXiv 2206.00927), over sigma: the midpoint rule, with the middle in log
// sigma.
struct Dpm2 {
  SamplerFacts facts() const { return {.order = 2, .values = 2, .evaluations = 2, .small_steps = true}; }
};

// Adams-Bashforth over sigma with 4 values of the noise, exact for the steps taken (Crowson, k-diffusion).
struct Lms {
  SamplerFacts facts() const { return {.order = 4, .values = 4}; }
};

// 4 values of the noise as if steps were equal, Zhang & Chen 2022 (arXiv 2204.13902); starts with Euler.
struct Ipndm {
  // The start counts as the first of the values: its x / sigma is all noise, as if there had been a step down
  // from infinity before.
  bool starts_with_noise = false;

  SamplerFacts facts() const { return {.order = 2, .values = 4}; }
};

// DPM-Solver++(2M) and with 3 values, Lu et al. 2022 (arXiv 2211.01095).
struct Dpmpp {
  int values = 2;  // of D, 2 or 3
  // With fewer than 15 steps the order is at most the number of steps left.
  bool lower_order_final = true;
  bool euler_at_final = false;  // the last step is of first order
  // A step of second order weighs the slope of D by its integral (diffusers: solver_type heun) and not by
  // that of its middle, (1 - exp(-q)) / 2.
  bool heun = false;

  SamplerFacts facts() const { return {.order = 2, .values = values, .grid = LevelGrid::with_end}; }
};

// The same on the SDE.
struct DpmppSde {
  int values = 2;
  double eta = 1;  // fresh noise: 0 none (dpmpp) .. 1 as much as the reverse SDE
  bool lower_order_final = true, euler_at_final = false, heun = false;  // as above

  static constexpr auto options() { return std::array{SamplerOption<DpmppSde>{"eta", &DpmppSde::eta, 0, 1}}; }
  SamplerFacts facts() const {
    return {.order = eta > 0 ? 0 : 2, .values = values, .stochastic = eta > 0, .grid = LevelGrid::with_end};
  }
};

// DPM-Solver++(2S) and with 3 values, Lu et al. 2022 (arXiv 2211.01095), on the ODE or the SDE. The levels
// are walked in groups of `values` steps: every step of a group starts where the group does, and so is of
// higher order than the one before it; the next group forgets all of it. A step costs one evaluation, so that
// a group is one step of the paper.
struct DpmppSinglestep {
  int values = 2;  // of D, 2 or 3
  double eta = 0;  // fresh noise: 0 none .. 1 as much as the reverse SDE
  // The last step of all is of first order where it would end a group. A step to 0 always is.
  bool lower_order_final = false;
  // Differences of D weigh as in their Taylor series, and not as published: (1 - exp(-q)) / 2 for the slope
  // in the second step of a group, and no curvature in the third (diffusers: solver_type heun).
  bool heun = false;

  static constexpr auto options() {
    return std::array{SamplerOption<DpmppSinglestep>{"eta", &DpmppSinglestep::eta, 0, 1}};
  }
  SamplerFacts facts() const {
    return {
        .order = eta > 0 ? 0 : values, .values = values, .stochastic = eta > 0, .grid = LevelGrid::with_end};
  }
};

// SA-Solver, Xue et al. 2023 (arXiv 2309.05019): Adams' prediction of the next state on an SDE with more or
// less noise, and, when D is known there, a correction that costs nothing and draws nothing new.
struct SaSolver {
  // How many values of D there are in the prediction and in the correction (which counts the one at the end
  // of the step), 1 to 4. The first steps, for which there are not so many, have fewer.
  int predictor = 2, corrector = 2;
  // Fresh noise in steps that start at a sigma in [s_tmin, s_tmax]: 0 none, 1 as much as the reverse SDE, and
  // more is allowed.
  double tau = 1;
  double s_tmin = 0, s_tmax = std::numeric_limits<double>::infinity();
  bool lower_order_final = true;  // not more values than steps are left

  static constexpr auto options() {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    return std::array{SamplerOption<SaSolver>{"s_tmin", &SaSolver::s_tmin, 0, kInfinity},
                      SamplerOption<SaSolver>{"s_tmax", &SaSolver::s_tmax, 0, kInfinity}};
  }
  SamplerFacts facts() const {
    return {.values = std::max(predictor, corrector), .stochastic = tau > 0, .grid = LevelGrid::with_end};
  }
};

// UniPC, Zhao et al. 2023 (arXiv 2302.04867).
struct Unipc {
  int values = 2;                 // of D in the prediction, 2 or 3
  bool lower_order_final = true;  // the order is at most the number of steps left
  bool bh1 = false;               // B(h) = -h, which matters where a step has one other value of D

  SamplerFacts facts() const {
    return {.order = values + 1, .values = values, .grid = LevelGrid::with_end_from_noise};
  }
};

// DEIS over log sigma, Zhang & Chen 2022 (arXiv 2204.13902).
struct Deis {
  int values = 3;  // of the noise estimate, 2 or 3
  // With fewer than 15 steps the order is at most the number of steps left.
  bool lower_order_final = true;

  SamplerFacts facts() const { return {.order = values, .values = values, .grid = LevelGrid::with_end}; }
};

// Heun's method over the time t = sigma / (1 + sigma) of a rectified flow, whose velocity n - y is
// dx_t/dt = (x_t - D) / t at x_t = (1 - t) x. Euler's step is the same over t and sigma, the trapezoidal rule
// is not.
struct FlowHeun {
  SamplerFacts facts() const { return {.order = 2, .values = 2, .evaluations = 2}; }
};

// D as the result, then noise again: Song et al. 2023 (arXiv 2303.01469), Algorithm 1.
struct Consistency {
  // Latent consistency models, Luo et al. 2023 (arXiv 2310.04378), distill not D but
  // c_skip x / sqrt(1 + sigma^2) + c_out D with c_skip = 1 / (1 + r^2) and c_out = r / sqrt(1 + r^2), a
  // number r for each step. Empty: D.
  std::vector<double> boundary = {};

  SamplerFacts facts() const {
    return {.stochastic = true, .consistency = true, .usual_steps = 4, .grid = LevelGrid::whole_timesteps};
  }
};

// A sampler of one's own, for all that the others are for: guidance, limits, batches, classes. `walk` is
// called for every sampling and returns its coroutine (sampling.h shows one). What `known` says is believed.
struct OwnSampler {
  std::string name;
  std::function<SamplerCoroutine(SamplerState& state)> walk;
  SamplerFacts known = {};

  SamplerFacts facts() const { return known; }
};

using Sampler =
    std::variant<Ddpm, Ddim, Pndm, Euler, EulerAncestral, Heun, Dpm2, Edm, Lms, Ipndm, Dpmpp, DpmppSde,
                 DpmppSinglestep, SaSolver, Unipc, Deis, FlowHeun, Consistency, OwnSampler>;

struct SamplerEntry {
  std::string_view name;
  Sampler sampler;             // with its defaults
  std::string_view reference;  // what it is and where it comes from, one line
};

std::span<const SamplerEntry> samplers();
const Sampler& find_sampler(std::string_view name);  // throws Error(usage) that lists the names

// With these options; facts of the table's sampler are those of its defaults.
SamplerFacts facts_of(const Sampler& sampler);

// OwnSampler::name, or that of the row with the same struct, and the same number of values if there are
// several, whatever the other options. Error(usage) for numbers of values that no row has.
std::string_view name_of(const Sampler& sampler);

// The options that can be set by name, in the order of the struct.
std::vector<std::string_view> option_names(const Sampler& sampler);

// Error(usage) if the sampler does not take the option, which lists those that it takes, or the value is out
// of range.
void set_option(Sampler& sampler, std::string_view option, double value);

// Error(usage) unless all options of the sampler, however they were set, are in range.
void check_options(const Sampler& sampler);

// How often a sampler calls D on the way down these levels.
int evaluations_of(const Sampler& sampler, std::span<const double> sigmas);

}  // namespace diffusion
