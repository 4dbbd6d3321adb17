#include "diffusion/samplers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/rng.h"
#include "diffusion/sampler_functions.h"

namespace diffusion {

namespace {

constexpr std::array<std::string_view, 1> kEta{"eta"}, kVariance{"variance"};
constexpr std::array<std::string_view, 1> kMiddles{"middles"};
constexpr std::array<std::string_view, 1> kLowerOrder{"lower_order_final"};
constexpr std::array<std::string_view, 2> kEtaAndLimit{"eta", "limit"};
constexpr std::array<std::string_view, 2> kLowerOrderAndBh1{"lower_order_final", "bh1"};
constexpr std::array<std::string_view, 3> kEnd{"lower_order_final", "euler_at_final", "heun"};
constexpr std::array<std::string_view, 4> kEtaAndEnd{"eta", "lower_order_final", "euler_at_final", "heun"};
constexpr std::array<std::string_view, 4> kChurn{"s_churn", "s_tmin", "s_tmax", "s_noise"};

constexpr LevelConvention kDdpm = LevelConvention::ddpm, kK = LevelConvention::k_diffusion,
                          kDpm = LevelConvention::dpm_solver, kUni = LevelConvention::unipc;

// clang-format off
constexpr std::array<SamplerEntry, 20> kSamplers{{
    // name, function, reference, convention, stochastic, small steps, consistency, order, evaluations, extra evaluations, options
    {"ddpm", sampling::ddpm, "ancestral sampling, Ho et al. 2020 (arXiv 2006.11239), Algorithm 2", kDdpm, true, false, false, 0, 1, 0, kVariance},
    {"ddim", sampling::ddim, "Song et al. 2020 (arXiv 2010.02502), eq. 12; eta 0 is deterministic", kDdpm, false, false, false, 1, 1, 0, kEtaAndLimit},
    {"pndm", sampling::pndm, "pseudo linear multistep (PLMS), Liu et al. 2022 (arXiv 2202.09778)", kDdpm, false, true, false, 2, 1, 1, kMiddles},
    {"euler", sampling::euler, "Euler's method on the ODE", kK, false, false, false, 1, 1, 0, {}},
    {"euler_ancestral", sampling::euler_ancestral, "Euler down, fresh noise up; eta 1 is ddpm", kK, true, false, false, 0, 1, 0, kEta},
    {"heun", sampling::heun, "Heun's method, Karras et al. 2022 (arXiv 2206.00364), Algorithm 1", kK, false, true, false, 2, 2, 0, {}},
    {"dpm2", sampling::dpm2, "DPM-Solver-2, Lu et al. 2022 (arXiv 2206.00927), over sigma", kK, false, true, false, 2, 2, 0, {}},
    {"edm", sampling::edm, "Heun with churn, Karras et al. 2022, Algorithm 2", kK, true, true, false, 0, 2, 0, kChurn},
    {"lms", sampling::lms, "Adams-Bashforth over sigma with 4 values", kK, false, false, false, 4, 1, 0, {}},
    {"ipndm", sampling::ipndm, "4 values as if steps were equal, Zhang & Chen 2022 (arXiv 2204.13902)", kK, false, false, false, 2, 1, 0, {}},
    {"dpmpp_2m", sampling::dpmpp_2m, "DPM-Solver++(2M), Lu et al. 2022 (arXiv 2211.01095)", kDpm, false, false, false, 2, 1, 0, kEnd},
    {"dpmpp_3m", sampling::dpmpp_3m, "the same with 3 values", kDpm, false, false, false, 2, 1, 0, kEnd},
    {"dpmpp_2m_sde", sampling::dpmpp_2m_sde, "the same on the SDE, 2 values; eta 0 is dpmpp_2m", kDpm, true, false, false, 0, 1, 0, kEtaAndEnd},
    {"dpmpp_3m_sde", sampling::dpmpp_3m_sde, "the same on the SDE, 3 values; eta 0 is dpmpp_3m", kDpm, true, false, false, 0, 1, 0, kEtaAndEnd},
    {"unipc", sampling::unipc_2, "UniPC-2 (bh2), Zhao et al. 2023 (arXiv 2302.04867)", kUni, false, false, false, 3, 1, 0, kLowerOrderAndBh1},
    {"unipc_3", sampling::unipc_3, "UniPC-3 (bh2)", kUni, false, false, false, 4, 1, 0, kLowerOrderAndBh1},
    {"deis", sampling::deis_3, "DEIS over log sigma with 3 values, Zhang & Chen 2022 (arXiv 2204.13902)", kDpm, false, false, false, 3, 1, 0, kLowerOrder},
    {"deis_2", sampling::deis_2, "the same with 2 values", kDpm, false, false, false, 2, 1, 0, kLowerOrder},
    {"flow_heun", sampling::flow_heun, "Heun over the time of a rectified flow (Euler over it is euler)", kK, false, false, false, 2, 2, 0, {}},
    {"consistency", sampling::consistency, "D as the result, then noise again; Song et al. 2023 (arXiv 2303.01469), Algorithm 1", kDdpm, true, false, true, 0, 1, 0, {}},
}};
// clang-format on

void check_sigmas(std::span<const double> sigmas) {
  if (sigmas.size() < 2)
    throw Error(ErrorKind::usage,
                fmt::format("A sampler needs at least two noise levels; it got {}.", sigmas.size()));
  for (std::size_t i = 0; i < sigmas.size(); ++i) {
    const bool last = i + 1 == sigmas.size();
    const bool accepted = std::isfinite(sigmas[i]) && (sigmas[i] > 0 || (last && sigmas[i] == 0)) &&
                          (i == 0 || sigmas[i] < sigmas[i - 1] || (last && sigmas[i] == sigmas[i - 1]));
    if (!accepted)
      throw Error(
          ErrorKind::usage,
          fmt::format(
              "Noise level {} of a sampler is {}; levels must be finite, positive (the last may be 0) and "
              "strictly descending (the last may repeat the one before it).",
              i, sigmas[i]));
  }
}

struct GivenOption {
  std::string_view name;
  bool given;
  double value, least, most;
};

void check_options(const SamplerEntry& sampler, const NoiseSource& noise, const SamplerOptions& options) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const auto number = [](std::string_view name, std::optional<double> value, double least, double most) {
    return GivenOption{name, value.has_value(), value.value_or(least), least, most};
  };
  const std::array<GivenOption, 12> all{
      {number("eta", options.eta, 0, 1),
       number("s_churn", options.s_churn, 0, std::numeric_limits<double>::max()),
       number("s_tmin", options.s_tmin, 0, kInfinity),
       number("s_tmax", options.s_tmax, 0, kInfinity),
       number("s_noise", options.s_noise, 0, std::numeric_limits<double>::max()),
       {"variance", options.variance.has_value(), 0, 0, 0},
       {"lower_order_final", options.lower_order_final.has_value(), 0, 0, 0},
       {"euler_at_final", options.euler_at_final.has_value(), 0, 0, 0},
       {"heun", options.heun.has_value(), 0, 0, 0},
       {"bh1", options.bh1.has_value(), 0, 0, 0},
       {"middles", !options.middles.empty(), 0, 0, 0},
       {"limit", bool(options.limit), 0, 0, 0}}};
  for (const GivenOption& option : all) {
    if (!option.given) continue;
    if (std::ranges::find(sampler.options, option.name) == sampler.options.end())
      throw Error(
          ErrorKind::usage,
          fmt::format(
              "The sampler {} does not take the option {}; it takes {}.", sampler.name, option.name,
              sampler.options.empty() ? "none" : fmt::format("{}", fmt::join(sampler.options, ", "))));
    if (!(option.value >= option.least && option.value <= option.most))
      throw Error(ErrorKind::usage,
                  fmt::format("The option {} of the sampler {} is {}; accepted are {} to {}.", option.name,
                              sampler.name, option.value, option.least, option.most));
  }
  const bool noiseless = (options.eta && *options.eta == 0) || (options.s_churn && *options.s_churn == 0);
  if (!noise && ((sampler.stochastic && !noiseless) || options.eta.value_or(0) > 0))
    throw Error(ErrorKind::usage, fmt::format("The sampler {} needs a source of noise.", sampler.name));
}

}  // namespace

NoiseSource image_noise(std::uint64_t seed, std::uint32_t first_image, std::size_t elements_per_image) {
  return [=](int draw, std::span<double> out) {
    if (elements_per_image == 0 || out.size() % elements_per_image != 0)
      throw Error(ErrorKind::usage, fmt::format("{} elements of noise are not whole images of {} elements.",
                                                out.size(), elements_per_image));
    for (std::size_t image = 0; image < out.size() / elements_per_image; ++image)
      fill_normal(RandomKey{.seed = seed,
                            .stream = Stream::sample_noise,
                            .sample = first_image + std::uint32_t(image),
                            .step = std::uint32_t(draw)},
                  out.subspan(image * elements_per_image, elements_per_image));
  };
}

std::span<const SamplerEntry> samplers() {
  return kSamplers;
}

const SamplerEntry& find_sampler(std::string_view name) {
  std::vector<std::string_view> names;
  for (const SamplerEntry& sampler : kSamplers) names.push_back(sampler.name);
  return kSamplers[index_of_name("sampler", name, names)];
}

int evaluations_of(const SamplerEntry& sampler, std::span<const double> sigmas, std::size_t middles) {
  const int steps = int(sigmas.size()) - 1;
  const int at_the_end = sigmas.back() == 0 ? sampler.evaluations - 1 : 0;
  const int at_the_start = middles > 0 ? 3 * int(middles) : sampler.extra_evaluations;
  return steps * sampler.evaluations - at_the_end + (steps > 1 ? at_the_start : 0);
}

void run_sampler(const SamplerEntry& sampler, const Denoiser& denoise, std::span<const double> sigmas,
                 const NoiseSource& noise, const SamplerOptions& options, std::span<double> x,
                 const StepCallback& on_step) {
  check_sigmas(sigmas);
  check_options(sampler, noise, options);
  for (std::size_t i = 0; i < options.middles.size(); ++i)
    if (i + 1 >= sigmas.size() || !(options.middles[i] < sigmas[i] && options.middles[i] > sigmas[i + 1]))
      throw Error(
          ErrorKind::usage,
          fmt::format(
              "Middle {} of a sampler is the noise level {}; it must lie between the levels {} and {}.", i,
              options.middles[i], i, i + 1));
  if (x.empty()) throw Error(ErrorKind::usage, "A sampler was given nothing to work on: x has no elements.");
  sampler.run(denoise, sigmas, noise, options, x, on_step);
  if (!std::all_of(x.begin(), x.end(), [](double value) { return std::isfinite(value); }))
    throw Error(
        ErrorKind::non_finite,
        fmt::format("The sampler {} ended with NaN or infinity; the network's weights or its input are not "
                    "usable.",
                    sampler.name));
}

}  // namespace diffusion
