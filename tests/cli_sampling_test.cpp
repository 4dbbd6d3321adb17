// Samplers, spacings, guidance, noise from a file and the result before rounding, through the real binary.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <diffusion/device.h>
#include <diffusion/generate.h>
#include "base/rng.h"
#include "cli_program.h"
#include "diffusers/pipeline.h"
#include "diffusion/model.h"
#include "diffusion/samplers.h"
#include "files/fs.h"
#include "formats/npy.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;
using cli::Arguments, cli::Outcome, cli::run, cli::json_of, cli::expect_error, cli::program;

class CliSampling : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_TRUE(fs::exists(program())) << "build the target diffusion_cli or set DIFFUSION_BINARY";
    folder_ = std::make_unique<scratch::Folder>();
    cli::write_model(file("model"), cli::tiny_model());
    cli::write_model(file("guide"), cli::tiny_model({.seed = 8}));
  }
  static void TearDownTestSuite() { folder_.reset(); }

  static std::string file(std::string_view name) { return (*folder_ / name).string(); }
  static Arguments arguments(const Arguments& more) {
    Arguments all{"sample", file("model"), "-n", "2", "--steps", "4", "-o", file("out.npy"), "--quiet"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  // The result before rounding.
  static std::vector<float> raw(Arguments more) {
    more.insert(more.end(), {"--raw", file("raw.npy"), "--precision", "f32"});
    const Outcome outcome = run(arguments(more));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    const NpyArray<float> array = read_npy_float32(file("raw.npy"));
    EXPECT_EQ(array.dims, (std::vector<std::int64_t>{2, 1, 8, 8}));
    return array.data;
  }
  // Replaces the scheduler of a copy of the model.
  static std::string with_scheduler(const std::string& name, const std::string& json) {
    fs::copy(file("model"), file(name), fs::copy_options::recursive);
    write_file(file(name) + "/scheduler/scheduler_config.json", json);
    return file(name);
  }
  static inline std::unique_ptr<scratch::Folder> folder_;
};

TEST_F(CliSampling, HelpListsEverySamplerAndSpacing) {
  const std::string help = run({"sample", "--help"}).out;
  for (const SamplerEntry& sampler : samplers()) {
    EXPECT_NE(help.find("\n" + std::string(32, ' ') + std::string(sampler.name) + ": "), std::string::npos)
        << sampler.name;
    for (const std::string_view name : option_names(sampler.sampler)) {
      std::string option(name);
      std::ranges::replace(option, '_', '-');
      EXPECT_NE(help.find("--" + option + " "), std::string::npos) << sampler.name << " " << option;
    }
  }
  for (const SpacingEntry& spacing : spacings())
    EXPECT_NE(help.find("\n" + std::string(32, ' ') + std::string(spacing.name) + ": "), std::string::npos)
        << spacing.name;
}

TEST_F(CliSampling, EverySamplerAndSpacingRuns) {
  const std::vector<float> usual = raw({});
  for (const SamplerEntry& sampler : samplers()) {
    const std::vector<float> result = raw({"--sampler", std::string(sampler.name)});
    // At the last two of these 4 steps the order is 1 and 2 at most, so 3 values are never used.
    const bool same = sampler.name == "dpmpp_3m_sde" || sampler.name == "dpmpp_2m_sde";
    EXPECT_EQ(result == usual, same) << sampler.name;
  }
  for (const SpacingEntry& spacing : spacings())
    EXPECT_EQ(raw({"--spacing", std::string(spacing.name)}) == usual, spacing.name == "trailing")
        << spacing.name;
}

TEST_F(CliSampling, TheLibrarySamplesTheSameByDefault) {
  const Outcome outcome = run({"sample", file("model"), "-o", file("default.npy"), "--quiet"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  std::vector<std::uint8_t> pixels;
  Model model = read_pipeline(file("model"));
  for (const Image& image : generate(model, *make_cpu_device(), {}))
    pixels.insert(pixels.end(), image.pixels.begin(), image.pixels.end());
  EXPECT_EQ(read_npy_uint8(file("default.npy")).data, pixels);
}

TEST_F(CliSampling, RawIsTheResultBeforeRounding) {
  const std::vector<float> values = raw({});
  const std::vector<std::uint8_t> pixels = read_npy_uint8(file("out.npy")).data;
  ASSERT_EQ(pixels.size(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double pixel = std::min(std::max((double(values[i]) + 1) * 127.5, 0.0), 255.0);
    EXPECT_LE(std::abs(pixel - pixels[i]), 0.501) << i;
  }
  const Json json = json_of(run(arguments({"--raw", file("raw.npy"), "--json"})));
  EXPECT_EQ(member(json, "outputs", "json"), Json(Json::Array{file("out.npy"), file("raw.npy")}));
}

TEST_F(CliSampling, NoiseFromAFileIsThatOfTheSeedIfItIsTheSame) {
  std::vector<double> noise(2 * 64);
  image_noise(5, 0, 64)(0, noise);
  const std::vector<std::int64_t> dims{2, 1, 8, 8};
  write_npy(file("noise.npy"), dims, std::vector<float>(noise.begin(), noise.end()));
  const std::vector<float> from_file = raw({"--seed", "5", "--noise", file("noise.npy")}),
                           from_seed = raw({"--seed", "5"});
  for (std::size_t i = 0; i < from_seed.size(); ++i) EXPECT_NEAR(from_file[i], from_seed[i], 1e-4) << i;
  EXPECT_EQ(raw({"--seed", "5", "--noise", file("noise.npy"), "--batch", "1"}), from_file);

  const Outcome all = run({"sample", file("model"), "--steps", "2", "--noise", file("noise.npy"), "-o",
                           file("all.npy"), "--json"});
  EXPECT_EQ(member(json_of(all), "count", "json"), Json(2));  // as many as there is noise
}

TEST_F(CliSampling, BadNoiseIsRefused) {
  const auto expect = [&](const std::vector<std::int64_t>& dims, std::vector<float> values,
                          const std::vector<std::string>& words, int code = 3) {
    write_npy(file("bad.npy"), dims, values);
    expect_error(code, arguments({"--noise", file("bad.npy")}), words);
  };
  expect({2, 1, 8, 9}, std::vector<float>(144), {"bad.npy", "2, 1, 8, 9", "N, 1, 8, 8"});
  expect({2, 64}, std::vector<float>(128), {"bad.npy"});
  expect({0, 1, 8, 8}, {}, {"bad.npy"});
  expect({1, 1, 8, 8}, std::vector<float>(64, std::nanf("")), {"bad.npy", "finite"});
  expect({3, 1, 8, 8}, std::vector<float>(192), {"--count is 2", "3"}, 2);
  expect_error(3, arguments({"--noise", file("model") + "/model_index.json"}), {"model_index.json"});
}

TEST_F(CliSampling, GuidanceHasAnIntervalARescaleAndAGuide) {
  const std::vector<float> plain = raw({}), guided = raw({"--guidance", "3"});
  EXPECT_NE(guided, plain);
  EXPECT_EQ(raw({"--guidance", "3", "--guidance-interval", "0,1e9"}), guided);
  EXPECT_EQ(raw({"--guidance", "3", "--guidance-interval", "1e8,1e9"}), plain);
  EXPECT_NE(raw({"--guidance", "3", "--guidance-interval", "0.5,2"}), guided);
  EXPECT_EQ(raw({"--guidance", "3", "--guidance-rescale", "0"}), guided);
  EXPECT_NE(raw({"--guidance", "3", "--guidance-rescale", "0.7"}), guided);
  EXPECT_NE(raw({"--guidance", "3", "--guide", file("guide")}), guided);
  EXPECT_EQ(raw({"--guidance", "3", "--guide", file("model")}), plain);  // away from itself

  expect_error(2, arguments({"--guidance-rescale", "0.5"}), {"--guidance-rescale", "--guidance"});
  expect_error(2, arguments({"--guide", file("guide")}), {"--guide", "--guidance"});
  expect_error(2, arguments({"--guidance", "2", "--guidance-interval", "3,1"}), {"3", "1"});
  expect_error(2, arguments({"--guidance", "2", "--guidance-interval", "3"}), {"--guidance-interval"});
  expect_error(2, arguments({"--guidance", "2", "--guidance-rescale", "1.5"}), {"0 to 1"});
  expect_error(3, arguments({"--guidance", "2", "--guide", file("nowhere")}), {"nowhere"});
}

TEST_F(CliSampling, OptionsAreForTheSamplersThatTakeThem) {
  expect_error(2, arguments({"--sampler", "heun", "--eta", "0.5"}), {"heun", "eta", "none"});
  expect_error(2, arguments({"--sampler", "ddim", "--s-churn", "5"}), {"ddim", "s_churn", "eta"});
  expect_error(2, arguments({"--sampler", "edm", "--s-noise", "-1"}), {"s_noise", "-1"});
  EXPECT_NE(raw({"--sampler", "edm"}), raw({"--sampler", "edm", "--s-churn", "0.5"}));
  EXPECT_EQ(raw({"--sampler", "edm", "--s-churn", "0"}), raw({"--sampler", "heun"}));
}

TEST_F(CliSampling, TheModelsOwnSchedulerDecidesWhatNobodySaid) {
  const std::string common =
      R"("num_train_timesteps": 100, "beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction")";
  const std::string heun = with_scheduler(
      "heun", R"({"_class_name": "HeunDiscreteScheduler", "use_karras_sigmas": true, )" + common + "}");
  const auto of = [&](const std::string& model, Arguments more) {
    Arguments all{"sample", model,           "-n",    "2", "--steps", "4", "-o", file("out.npy"),
                  "--raw",  file("raw.npy"), "--json"};
    all.insert(all.end(), more.begin(), more.end());
    const Json json = json_of(run(all));
    return std::pair(to_string(member(json, "sampler", "json"), "sampler"),
                     read_npy_float32(file("raw.npy")).data);
  };
  const auto [own, own_result] = of(heun, {});
  EXPECT_EQ(own, "heun");
  EXPECT_EQ(of(heun, {"--sampler", "heun"}).second, own_result);
  EXPECT_NE(of(heun, {"--spacing", "trailing"}).second, own_result);
  EXPECT_EQ(of(heun, {"--sampler", "dpmpp_2m"}).first, "dpmpp_2m");

  // DDPM says where to step, but would need every step.
  EXPECT_EQ(of(file("model"), {}).first, "dpmpp_3m_sde");
  const std::string large = with_scheduler(
      "large",
      R"({"_class_name": "DDPMScheduler", "variance_type": "fixed_large", "timestep_spacing": "trailing", )" +
          common + "}");
  EXPECT_EQ(of(large, {}).second, of(file("model"), {}).second);
  EXPECT_NE(of(large, {"--sampler", "ddpm"}).second, of(file("model"), {"--sampler", "ddpm"}).second);

  const std::string lcm = with_scheduler("lcm", R"({"_class_name": "LCMScheduler", )" + common + "}");
  EXPECT_EQ(of(lcm, {}).first, "consistency");
  EXPECT_NE(of(lcm, {"--spacing", "trailing"}).second, of(lcm, {}).second);
  // --eta is what TCD calls so.
  const std::string tcd = with_scheduler("tcd", R"({"_class_name": "TCDScheduler", )" + common + "}");
  EXPECT_EQ(of(tcd, {"--eta", "0.3"}).second, of(tcd, {}).second);
  EXPECT_NE(of(tcd, {"--eta", "0.6"}).second, of(tcd, {}).second);
  EXPECT_NE(of(tcd, {"--sampler", "ddim", "--spacing", "trailing"}).second, of(tcd, {"--eta", "0"}).second);
}

TEST_F(CliSampling, ASchedulerThatLeadsUpStartsFromPictures) {
  const std::string inverse = with_scheduler(
      "inverse",
      R"({"_class_name": "DDIMInverseScheduler", "num_train_timesteps": 100, "prediction_type": "v_prediction",
          "beta_schedule": "squaredcos_cap_v2"})");
  const auto arguments = [&](const Arguments& more) {
    Arguments all{"sample", inverse, "--steps", "4", "-o", file("out.npy"), "--quiet"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  expect_error(2, arguments({"-n", "2"}), {"up to noise"});
  EXPECT_EQ(run(arguments({"-n", "2", "--spacing", "trailing"})).code, 0);
  EXPECT_EQ(run(arguments({"-n", "2", "--sampler", "dpmpp_2m"})).code, 0);
  write_npy(file("pictures.npy"), std::vector<std::int64_t>{2, 1, 8, 8}, std::vector<float>(2 * 64, 0.5F));
  EXPECT_EQ(run(arguments({"--noise", file("pictures.npy"), "--raw", file("raw.npy")})).code, 0);
  EXPECT_NE(read_npy_float32(file("raw.npy")).data, std::vector<float>(2 * 64, 0.5F));
}

}  // namespace
}  // namespace diffusion
