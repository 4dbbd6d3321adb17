#include <diffusion/sampler.h>

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include <diffusion/error.h>
#include "support/scratch.h"

namespace diffusion {
namespace {

using Names = std::vector<std::string_view>;

TEST(SamplerTable, EveryRowIsFoundByItsNameAndNamedByItsSampler) {
  for (const SamplerEntry& entry : samplers()) {
    EXPECT_EQ(name_of(find_sampler(entry.name)), entry.name);
    EXPECT_FALSE(entry.reference.empty()) << entry.name;
    check_options(entry.sampler);
  }
  EXPECT_EQ(name_of(DpmppSde{.values = 3, .eta = 0.25, .heun = true}), "dpmpp_3m_sde");
  EXPECT_EQ(name_of(Edm{.s_churn = 0}), "edm");
  const std::string message = scratch::error_of(ErrorKind::usage, [] { find_sampler("no such sampler"); });
  EXPECT_NE(message.find("ddpm, ddim"), std::string::npos) << message;
  const std::string values = scratch::error_of(ErrorKind::usage, [] { name_of(Dpmpp{.values = 5}); });
  EXPECT_NE(values.find("2 (dpmpp_2m), 3 (dpmpp_3m)"), std::string::npos) << values;
  EXPECT_EQ(name_of(SaSolver{.predictor = 3, .corrector = 4}), "sa_solver");  // the only row of its struct
}

TEST(SamplerTable, OptionsAreSetByName) {
  Sampler sampler = Edm{};
  EXPECT_EQ(option_names(sampler), (Names{"s_churn", "s_tmin", "s_tmax", "s_noise"}));
  set_option(sampler, "s_churn", 7);
  set_option(sampler, "s_tmin", 0.5);
  const Edm& edm = std::get<Edm>(sampler);
  EXPECT_EQ(edm.s_churn, 7);
  EXPECT_EQ(edm.s_tmin, 0.5);
  EXPECT_EQ(edm.s_noise, 1);
  for (const char* name : {"ddim", "euler_ancestral", "dpmpp_2m_sde", "dpmpp_3m_sde", "dpmpp_2s", "dpmpp_3s"})
    EXPECT_EQ(option_names(find_sampler(name)), Names{"eta"}) << name;
  for (const char* name : {"ddpm", "heun", "dpmpp_2m", "unipc", "consistency"})
    EXPECT_EQ(option_names(find_sampler(name)), Names{}) << name;
}

TEST(SamplerTable, RefusalsNameTheOptionsThatThereAre) {
  const auto refusal = [](Sampler sampler, const char* option, double value) {
    return scratch::error_of(ErrorKind::usage, [&] { set_option(sampler, option, value); });
  };
  struct Case {
    Sampler sampler;
    const char* option;
    double value;
    std::vector<std::string> parts;
  };
  for (const Case& c : std::vector<Case>{{Ddim{}, "s_churn", 1, {"ddim", "s_churn", "it takes eta."}},
                                         {Heun{}, "eta", 0.5, {"heun", "eta", "it takes none."}},
                                         {Dpmpp{}, "eta", 0, {"dpmpp_2m", "eta"}},
                                         {Edm{}, "s_noise", -1, {"s_noise", "edm is -1"}},
                                         {Edm{}, "s_churn", INFINITY, {"s_churn", "inf"}},
                                         {Ddim{}, "eta", 1.5, {"eta", "ddim is 1.5", "0 to 1"}},
                                         {Ddim{}, "eta", NAN, {"eta", "nan"}}}) {
    const std::string message = refusal(c.sampler, c.option, c.value);
    for (const std::string& part : c.parts) EXPECT_NE(message.find(part), std::string::npos) << message;
  }
  Sampler sampler = Ddim{.eta = 0.5};
  EXPECT_THROW(set_option(sampler, "eta", 2), Error);
  EXPECT_EQ(std::get<Ddim>(sampler).eta, 0.5);
}

}  // namespace
}  // namespace diffusion
