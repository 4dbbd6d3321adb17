// diffusion eval --bits-per-dimension through the real binary.

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "cli_program.h"
#include "eval/classifier_files.h"
#include "formats/npy.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

using cli::Arguments, cli::Outcome, cli::run, cli::json_of, cli::expect_error;

class EvalLikelihood : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<scratch::Folder>();
    cli::write_model(file("model"), cli::tiny_model());
    cli::write_model(file("edm"), cli::tiny_model({.preconditioner = Preconditioner(EdmProcess{})}));
    cli::write_model(file("classes_only"), cli::tiny_model({.guidance = false}));
    const ClassifierConfig config{{8, 8}, 1, {"Alpha", "beta", "gamma ray"}, {8, 16}, 1, 4};
    write_feature_network(file("features"), make_classifier(config, 1), nullptr);
    std::vector<std::uint8_t> pixels(30 * 64);
    for (std::size_t i = 0; i < pixels.size(); ++i)
      pixels[i] = std::uint8_t(uniform_below({9, Stream::init, 1, 0}, 256, std::uint32_t(i)));
    write_npy(file("data.npy"), std::array<std::int64_t, 4>{30, 8, 8, 1}, pixels);
  }
  static void TearDownTestSuite() { folder_.reset(); }
  static std::string file(std::string_view name) { return (*folder_ / name).string(); }
  static Arguments eval(const Arguments& more) {
    Arguments all{"eval",    "--features", file("features"), "--data", file("data.npy"), "-n", "6",
                  "--steps", "1",          "--threads",      "1",      "--quiet"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  static inline std::unique_ptr<scratch::Folder> folder_;
};

double value_of(const Json& object, const char* key) {
  return to_double(member(object, key, "json"), key);
}

TEST_F(EvalLikelihood, OfADiscreteModel) {
  const Json json = json_of(run(eval({file("model"), "--bits-per-dimension", "--images", "2", "--json"})));
  const Json& bits = member(json, "bits_per_dimension", "json");
  EXPECT_EQ(member(bits, "images", "json"), Json(2));
  EXPECT_EQ(member(bits, "given_class", "json"), Json(false));  // the data have no labels
  const Json& bound = member(bits, "variational_bound", "json");
  EXPECT_NEAR(value_of(bound, "value"),
              value_of(bound, "prior") + value_of(bound, "steps") + value_of(bound, "decoder"), 1e-9);
  EXPECT_GT(value_of(bound, "value"), 8);  // images of pure noise have 8 bits
  EXPECT_GT(value_of(member(bits, "ode", "json"), "value"), 8);
  EXPECT_GT(value_of(member(bits, "ode", "json"), "standard_error"), 0);
}

TEST_F(EvalLikelihood, AsTextOfAModelWithoutTimesteps) {
  const Outcome outcome = run(eval({file("edm"), "--bits-per-dimension", "--images", "2"}));
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("bits per dimension of 2 images of"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("\node "), std::string::npos) << outcome.out;
  EXPECT_EQ(outcome.out.find("variational_bound"), std::string::npos) << outcome.out;
}

TEST_F(EvalLikelihood, OnlyIfAskedFor) {
  EXPECT_EQ(json_of(run(eval({file("model"), "--json"}))).find("bits_per_dimension"), nullptr);
}

TEST_F(EvalLikelihood, Refusals) {
  expect_error(2, eval({file("model"), "--images", "3"}), {"--images", "--bits-per-dimension"});
  expect_error(2, eval({file("model"), "--bits-per-dimension", "--images", "1"}), {"--images", "2 to"});
  expect_error(2,
               {"eval", "--features", file("features"), "--data", file("data.npy"), "--samples",
                file("data.npy"), "--bits-per-dimension"},
               {"--bits-per-dimension", "MODEL"});
  expect_error(2, eval({file("classes_only"), "--bits-per-dimension"}), {"data.npy", "null class"});
}

}  // namespace
}  // namespace diffusion
