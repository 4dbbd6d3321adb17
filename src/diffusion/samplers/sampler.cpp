#include <diffusion/sampler.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include <diffusion/error.h>
#include "base/names.h"

namespace diffusion {

namespace {

std::array<SamplerEntry, 23> make_table() {
  return {{
      {.name = "ddpm",
       .sampler = Ddpm{},
       .reference = "ancestral sampling, Ho et al. 2020 (arXiv 2006.11239), Algorithm 2"},
      {.name = "ddim",
       .sampler = Ddim{},
       .reference = "Song et al. 2020 (arXiv 2010.02502), eq. 12; eta 0 is deterministic"},
      {.name = "pndm",
       .sampler = Pndm{},
       .reference = "pseudo linear multistep (PLMS), Liu et al. 2022 (arXiv 2202.09778)"},
      {.name = "euler", .sampler = Euler{}, .reference = "Euler's method on the ODE"},
      {.name = "euler_ancestral",
       .sampler = EulerAncestral{},
       .reference = "Euler down, fresh noise up; eta 1 is ddpm"},
      {.name = "heun",
       .sampler = Heun{},
       .reference = "Heun's method, Karras et al. 2022 (arXiv 2206.00364), Algorithm 1"},
      {.name = "dpm2",
       .sampler = Dpm2{},
       .reference = "DPM-Solver-2, Lu et al. 2022 (arXiv 2206.00927), over sigma"},
      {.name = "edm", .sampler = Edm{}, .reference = "Heun with churn, Karras et al. 2022, Algorithm 2"},
      {.name = "lms", .sampler = Lms{}, .reference = "Adams-Bashforth over sigma with 4 values"},
      {.name = "ipndm",
       .sampler = Ipndm{},
       .reference = "4 values as if steps were equal, Zhang & Chen 2022 (arXiv 2204.13902)"},
      {.name = "dpmpp_2m",
       .sampler = Dpmpp{.values = 2},
       .reference = "DPM-Solver++(2M), Lu et al. 2022 (arXiv 2211.01095)"},
      {.name = "dpmpp_3m", .sampler = Dpmpp{.values = 3}, .reference = "the same with 3 values"},
      {.name = "dpmpp_2m_sde",
       .sampler = DpmppSde{.values = 2},
       .reference = "the same on the SDE, 2 values; eta 0 is dpmpp_2m"},
      {.name = "dpmpp_3m_sde",
       .sampler = DpmppSde{.values = 3},
       .reference = "the same on the SDE, 3 values; eta 0 is dpmpp_3m"},
      {.name = "dpmpp_2s",
       .sampler = DpmppSinglestep{.values = 2},
       .reference = "the same in groups of 2 steps that forget the ones before; eta 1 is the SDE"},
      {.name = "dpmpp_3s", .sampler = DpmppSinglestep{.values = 3}, .reference = "the same in groups of 3"},
      {.name = "sa_solver",
       .sampler = SaSolver{},
       .reference = "SA-Solver, Adams' method on the SDE, Xue et al. 2023 (arXiv 2309.05019)"},
      {.name = "unipc",
       .sampler = Unipc{.values = 2},
       .reference = "UniPC-2 (bh2), Zhao et al. 2023 (arXiv 2302.04867)"},
      {.name = "unipc_3", .sampler = Unipc{.values = 3}, .reference = "UniPC-3 (bh2)"},
      {.name = "deis",
       .sampler = Deis{.values = 3},
       .reference = "DEIS over log sigma with 3 values, Zhang & Chen 2022 (arXiv 2204.13902)"},
      {.name = "deis_2", .sampler = Deis{.values = 2}, .reference = "the same with 2 values"},
      {.name = "flow_heun",
       .sampler = FlowHeun{},
       .reference = "Heun over the time of a rectified flow (Euler over it is euler)"},
      {.name = "consistency",
       .sampler = Consistency{},
       .reference = "D as the result, then noise again; Song et al. 2023 (arXiv 2303.01469), Algorithm 1"},
  }};
}

template <class S>
void check_range(const SamplerOption<S>& option, std::string_view sampler, double value) {
  if (!(value >= option.least && value <= option.most))
    throw Error(ErrorKind::usage, fmt::format("The option {} of the sampler {} is {}; accepted are {} to {}.",
                                              option.name, sampler, value, option.least, option.most));
}

// Calls `use(struct, option)` for every option that can be set by name.
template <class S, class Use>
void for_each_option(S& sampler, const Use& use) {
  std::visit(
      [&](auto& s) {
        if constexpr (requires { s.options(); })
          for (const auto& option : s.options()) use(s, option);
      },
      sampler);
}

}  // namespace

std::span<const SamplerEntry> samplers() {
  static const std::array<SamplerEntry, 23> table = make_table();
  return table;
}

const Sampler& find_sampler(std::string_view name) {
  std::vector<std::string_view> names;
  for (const SamplerEntry& entry : samplers()) names.push_back(entry.name);
  return samplers()[index_of_name("sampler", name, names)].sampler;
}

SamplerFacts facts_of(const Sampler& sampler) {
  return std::visit([](const auto& s) { return s.facts(); }, sampler);
}

std::string_view name_of(const Sampler& sampler) {
  if (const auto* own = std::get_if<OwnSampler>(&sampler)) return own->name;
  const int values = facts_of(sampler).values;
  std::vector<const SamplerEntry*> rows;
  for (const SamplerEntry& entry : samplers())
    if (entry.sampler.index() == sampler.index()) rows.push_back(&entry);
  if (rows.size() == 1) return rows.front()->name;
  std::string accepted;
  for (const SamplerEntry* row : rows) {
    const int row_values = facts_of(row->sampler).values;
    if (row_values == values) return row->name;
    accepted += fmt::format("{}{} ({})", accepted.empty() ? "" : ", ", row_values, row->name);
  }
  throw Error(ErrorKind::usage,
              fmt::format("A sampler is to combine {} values; accepted are {}.", values, accepted));
}

std::vector<std::string_view> option_names(const Sampler& sampler) {
  std::vector<std::string_view> names;
  for_each_option(sampler, [&](const auto&, const auto& option) { names.push_back(option.name); });
  return names;
}

void set_option(Sampler& sampler, std::string_view option, double value) {
  const std::vector<std::string_view> names = option_names(sampler);
  if (std::ranges::find(names, option) == names.end())
    throw Error(ErrorKind::usage,
                fmt::format("The sampler {} does not take the option {}; it takes {}.", name_of(sampler),
                            option, names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))));
  for_each_option(sampler, [&](auto& s, const auto& candidate) {
    if (candidate.name != option) return;
    check_range(candidate, name_of(sampler), value);
    s.*candidate.member = value;
  });
}

void check_options(const Sampler& sampler) {
  const std::string_view name = name_of(sampler);
  for_each_option(sampler,
                  [&](const auto& s, const auto& option) { check_range(option, name, s.*option.member); });
}

int evaluations_of(const Sampler& sampler, std::span<const double> sigmas) {
  const SamplerFacts facts = facts_of(sampler);
  const int steps = int(sigmas.size()) - 1;
  const int at_the_end = sigmas.back() == 0 ? facts.evaluations - 1 : 0;
  return steps * facts.evaluations - at_the_end + (steps > 1 ? facts.extra_evaluations : 0);
}

}  // namespace diffusion
