#pragma once

// Every sampler, as plain data: which one, and with which options. Its name, if it has one, is that of its
// row in the table of sampler.cpp.
//
// To add one: a struct with facts() and the function walk() in a file of their own beside this one, the
// struct here, and a row in the table; the tests go through the table.

#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "diffusion/samplers/ancestral.h"
#include "diffusion/samplers/consistency.h"
#include "diffusion/samplers/deis.h"
#include "diffusion/samplers/dpm2.h"
#include "diffusion/samplers/dpmpp.h"
#include "diffusion/samplers/dpmpp_singlestep.h"
#include "diffusion/samplers/edm.h"
#include "diffusion/samplers/euler.h"
#include "diffusion/samplers/flow_heun.h"
#include "diffusion/samplers/ipndm.h"
#include "diffusion/samplers/lms.h"
#include "diffusion/samplers/pndm.h"
#include "diffusion/samplers/sa_solver.h"
#include "diffusion/samplers/sampler_facts.h"
#include "diffusion/samplers/unipc.h"

namespace diffusion {

using Sampler = std::variant<Ddpm, Ddim, Pndm, Euler, EulerAncestral, Heun, Dpm2, Edm, Lms, Ipndm, Dpmpp,
                             DpmppSde, DpmppSinglestep, SaSolver, Unipc, Deis, FlowHeun, Consistency>;

struct SamplerEntry {
  std::string_view name;
  Sampler sampler;             // with its defaults
  std::string_view reference;  // what it is and where it comes from, one line
};

std::span<const SamplerEntry> samplers();
const Sampler& find_sampler(std::string_view name);  // throws Error(usage) that lists the names

// With these options; facts of the table's sampler are those of its defaults.
SamplerFacts facts_of(const Sampler& sampler);

// That of the row with the same struct, and the same number of values if there are several, whatever the
// other options. Error(usage) for numbers of values that no row has.
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
