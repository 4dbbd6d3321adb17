// Against tests/golden/eval.json, made by make_eval_goldens.py with NumPy and SciPy.

#include <gtest/gtest.h>

#include <cmath>

#include "eval/cross_entropy.h"
#include "eval/frechet.h"
#include "eval/kid.h"
#include "eval/prdc.h"
#include "files/fs.h"
#include "formats/json.h"

namespace diffusion {
namespace {

constexpr const char* kFile = DIFFUSION_SOURCE_DIR "/tests/golden/eval.json";

const Json& golden(std::string_view key) {
  static const Json json = parse_json(read_text_file(kFile, 1 << 20), kFile);
  return member(json, key, kFile);
}

// Rows of whole numbers, which are 64 times the values.
FeatureSet features(const Json& rows) {
  FeatureSet set;
  for (const Json& row : to_array(rows, kFile)) {
    for (const Json& value : to_array(row, kFile)) set.values.push_back(float(to_int(value, kFile)) / 64.f);
    ++set.count;
  }
  set.width = int(set.values.size()) / set.count;
  return set;
}

double number(const Json& object, std::string_view key) {
  return to_double(member(object, key, kFile), kFile);
}

TEST(EvalGolden, ScoresOfSets) {
  const Json::Array& cases = to_array(golden("cases"), kFile);
  ASSERT_EQ(cases.size(), 5u);
  for (const Json& c : cases) {
    SCOPED_TRACE(to_string(member(c, "name", kFile), kFile));
    const FeatureSet generated = features(member(c, "generated", kFile)),
                     real = features(member(c, "real", kFile));
    const double frechet = number(c, "frechet"), kid = number(c, "kid");
    EXPECT_NEAR(frechet_distance(generated, real), frechet, 1e-6 * frechet);
    EXPECT_NEAR(frechet_distance(real, generated), frechet, 1e-6 * frechet);
    EXPECT_NEAR(squared_discrepancy(generated, real), kid, 1e-5 * (1 + std::abs(kid)));

    const Prdc prdc = summarize(score_images(generated, real), 1, 0);
    EXPECT_NEAR(prdc.precision.value, number(c, "precision"), 1e-12);
    EXPECT_NEAR(prdc.recall.value, number(c, "recall"), 1e-12);
    EXPECT_NEAR(prdc.density.value, number(c, "density"), 1e-12);
    EXPECT_NEAR(prdc.coverage.value, number(c, "coverage"), 1e-12);
  }
}

TEST(EvalGolden, Eigenvalues) {
  const FeatureSet rows = features(member(golden("eigenvalues"), "matrix", kFile));
  SymmetricMatrix matrix(rows.count);
  for (std::size_t i = 0; i < rows.values.size(); ++i) matrix.values[i] = double(rows.values[i]);
  const std::vector<double> values = symmetric_eigenvalues(matrix);
  const Json::Array& expected = to_array(member(golden("eigenvalues"), "values", kFile), kFile);
  ASSERT_EQ(values.size(), expected.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    EXPECT_NEAR(values[i], to_double(expected[i], kFile), 1e-12);
}

TEST(EvalGolden, CrossEntropy) {
  const Json::Array& cases = to_array(golden("cross_entropy"), kFile);
  ASSERT_EQ(cases.size(), 2u);
  for (const Json& c : cases) {
    const FeatureSet logits = features(member(c, "logits", kFile));
    std::vector<int> labels;
    for (const Json& label : to_array(member(c, "labels", kFile), kFile))
      labels.push_back(int(to_int(label, kFile)));
    std::vector<float> grad(logits.values.size());
    EXPECT_NEAR(cross_entropy_and_grad(logits.values, labels, number(c, "smoothing"), grad),
                number(c, "loss"), 1e-12);
    std::size_t i = 0;
    for (const Json& row : to_array(member(c, "grad", kFile), kFile))
      for (const Json& value : to_array(row, kFile)) EXPECT_NEAR(grad[i++], to_double(value, kFile), 1e-7);
    EXPECT_EQ(i, grad.size());
  }
}

}  // namespace
}  // namespace diffusion
