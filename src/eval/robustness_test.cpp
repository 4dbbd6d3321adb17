#include <diffusion/robustness.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include <diffusion/device.h>
#include <diffusion/error.h>
#include <diffusion/models.h>
#include "base/rng.h"
#include "device/device.h"
#include "diffusion/model.h"
#include "eval/classifier_files.h"
#include "eval/classifier_loss.h"
#include "eval/classifier_training.h"
#include "eval/pgd.h"
#include "eval/purified_classifier.h"
#include "support/fixtures.h"
#include "support/scratch.h"
#include "support/small_model.h"

namespace diffusion {
namespace {

using fixtures::error_of;

const std::vector<std::string> kSides{"left", "right"};

// 8 x 8 pictures whose left or right half is a little brighter.
Dataset halves(int count) {
  std::vector<std::uint8_t> pixels;
  std::vector<std::uint16_t> labels;
  for (int i = 0; i < count; ++i) {
    labels.push_back(std::uint16_t(i % 2));
    for (int k = 0; k < 64; ++k)
      pixels.push_back(std::uint8_t((k % 8 < 4) == (i % 2 == 0) ? 140 + i % 7 : 120 - k % 5));
  }
  return {"halves", 8, 8, 1, std::move(pixels), std::move(labels), kSides};
}

Classifier side_classifier(std::uint64_t seed = 1) {
  return make_classifier({{8, 8}, 1, kSides, {8, 16}, 1, 4}, seed);
}

Model side_model() {
  return fixtures::small_model({.channels = {8}});
}

double norm(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t k = 0; k < a.size(); ++k) sum += (a[k] - b[k]) * (a[k] - b[k]);
  return std::sqrt(sum);
}

// The loss is 3 times the first number: the way up is known.
void first_number(std::span<const double> x, int /*iteration*/, std::span<double> losses,
                  std::span<double> gradient) {
  const std::size_t size = x.size() / losses.size();
  std::ranges::fill(gradient, 0);
  for (std::size_t k = 0; k < losses.size(); ++k) {
    losses[k] = 3 * x[k * size];
    gradient[k * size] = 3;
  }
}

TEST(Pgd, ReachesTheEdgeOfTheBallAndStaysInIt) {
  const std::vector<double> pictures{0.1, -0.2, 0.3, 0.95, -1, 0};  // two of three numbers
  const std::vector<int> numbers{0, 1};
  AttackOptions options{.eps = 0.1, .steps = 10};
  std::vector<double> x = pgd(first_number, pictures, numbers, options);
  EXPECT_DOUBLE_EQ(x[0], 0.1 + 0.2);
  EXPECT_DOUBLE_EQ(x[3], 1) << "the range of pixels ends there";
  for (std::size_t k = 0; k < x.size(); ++k) {
    EXPECT_LE(std::abs(x[k] - pictures[k]), 0.2 + 1e-12);
    EXPECT_LE(std::abs(x[k]), 1);
  }
  options.norm = AttackNorm::l2;
  x = pgd(first_number, pictures, numbers, options);
  EXPECT_NEAR(x[0], 0.1 + 0.2, 0.02);
  for (const std::size_t k : {std::size_t{0}, std::size_t{3}})
    EXPECT_LE(norm(std::span(x).subspan(k, 3), std::span(pictures).subspan(k, 3)), 0.2 + 1e-12);
}

TEST(Pgd, APictureIsTheSameInAnyCompany) {
  const std::vector<double> pictures{0.1, -0.2, 0.3, 0.5, -1, 0};
  for (const AttackNorm norm : {AttackNorm::linf, AttackNorm::l2}) {
    const AttackOptions options{.norm = norm, .eps = 0.1, .steps = 3, .seed = 4};
    const std::vector<double> both = pgd(first_number, pictures, std::vector{7, 8}, options),
                              second =
                                  pgd(first_number, std::span(pictures).last(3), std::vector{8}, options);
    EXPECT_TRUE(std::ranges::equal(std::span(both).last(3), second));
    EXPECT_NE(pgd(first_number, std::span(pictures).last(3), std::vector{7}, options), second);
  }
}

TEST(Pgd, NaNIsAnError) {
  const auto loss = [](std::span<const double>, int, std::span<double> losses, std::span<double>) {
    std::ranges::fill(losses, std::numeric_limits<double>::quiet_NaN());
  };
  EXPECT_EQ(error_of([&] { pgd(loss, std::vector<double>(3), std::vector{0}, {}); }).kind(),
            ErrorKind::non_finite);
}

// The gradient of the loss behind a purification, exact and taken for the identity's.
TEST(PurifiedClassifier, ItsGradientIsThatOfDifferences) {
  const auto device = make_reference_device();
  const Classifier classifier = side_classifier();
  const Model model = side_model();
  SamplingRecipe recipe = purification_recipe(model);
  recipe.steps = 2;
  recipe.limit = {};
  PurifiedClassifier defended(classifier, model, {{.recipe = recipe, .count = 2, .batch = 2}, 0.4}, *device,
                              NetworkEvaluator::Use::products);
  const AttackedPictures pictures = pictures_of(halves(2), std::vector{0, 1});
  const std::vector<std::uint64_t> seeds{5, 6};
  std::vector<double> losses(2), gradient(128), scratch(128), direction(128);
  fill_normal({1, Stream::init, 1, 0}, direction);
  using Derivative = PurifiedClassifier::Derivative;
  double by_difference = 0;
  constexpr double kStep = 0.01;
  for (const auto& [places, weight] :
       {std::pair{-2, 1.0 / 12}, {-1, -2.0 / 3}, {1, 2.0 / 3}, {2, -1.0 / 12}}) {
    std::vector<double> moved = pictures.x;
    for (std::size_t i = 0; i < moved.size(); ++i) moved[i] += places * kStep * direction[i];
    defended.evaluate(moved, pictures, seeds, Derivative::exact, losses, scratch);
    by_difference += weight * (losses[0] + losses[1]) / kStep;
  }
  defended.evaluate(pictures.x, pictures, seeds, Derivative::exact, losses, gradient);
  const double slope = std::inner_product(gradient.begin(), gradient.end(), direction.begin(), 0.0);
  EXPECT_NEAR(slope, by_difference, 1e-3 * (1 + std::abs(by_difference)));
  std::vector<double> identity(128), other(2);
  defended.evaluate(pictures.x, pictures, seeds, Derivative::identity, other, identity);
  EXPECT_EQ(other, losses);
  EXPECT_NE(identity, gradient);
}

class RobustnessTest : public testing::Test {
 protected:
  RobustnessTest() {
    set_threads(1);
    Classifier classifier = side_classifier();
    const Dataset data = halves(32);
    train_classifier(classifier, data, *make_cpu_device(Precision::f32),
                     {.epochs = 20, .batch = 16, .learning_rate = 1e-2, .shift = 0, .flip = false});
    write_feature_network(path(), classifier, nullptr);
  }
  ~RobustnessTest() override { set_threads(threads_); }
  std::string path() const { return (folder_ / "classifier").string(); }
  double share_right(const Dataset& data) const {
    FeatureNetwork net = read_feature_network(path());
    return accuracy(extract_features(net.classifier, data, *make_cpu_device(Precision::f32)).predicted, data);
  }

 private:
  int threads_ = thread_count();
  scratch::Folder folder_;
};

TEST_F(RobustnessTest, AttacksMisleadAndStayInTheBall) {
  const Dataset data = halves(10);
  ASSERT_EQ(share_right(data), 1);
  const AttackOptions linf{.eps = 16.0 / 255, .steps = 10, .batch = 4};
  const std::vector<Image> images = attack(path(), data, linf);
  Dataset changed = dataset_of(images, "changed");
  changed.labels = data.labels;
  EXPECT_LT(share_right(changed), 0.5);
  for (int i = 0; i < data.count(); ++i)
    for (std::size_t k = 0; k < 64; ++k)
      ASSERT_LE(std::abs(int(images[std::size_t(i)].pixels[k]) - int(data.image(i)[k])), 16);
  AttackOptions other = linf;
  other.batch = 64;
  EXPECT_EQ(attack(path(), data, other), images) << "whatever the batch";

  const std::vector<Image> l2 = attack(path(), data, {.norm = AttackNorm::l2, .eps = 0.5, .steps = 10});
  for (int i = 0; i < data.count(); ++i) {
    double squares = 0;
    for (std::size_t k = 0; k < 64; ++k)
      squares += std::pow((l2[std::size_t(i)].pixels[k] - data.image(i)[k]) / 255.0, 2);
    EXPECT_LE(std::sqrt(squares), 0.5);
    EXPECT_GT(squares, 0.1);
  }
}

TEST_F(RobustnessTest, CountsWhoIsStillRight) {
  const Model model = side_model();
  RobustnessOptions options;
  options.sampling.recipe = purification_recipe(model);
  options.sampling.recipe->steps = 1;
  options.level = 0.02;  // which a network of random weights survives
  options.attack = {.eps = 16.0 / 255, .steps = 5, .batch = 4};
  options.draws = 2;
  const Dataset data = halves(10);
  const Robustness r = evaluate_robustness(model, path(), data, data, options);
  EXPECT_EQ(r.pictures, 10);
  EXPECT_EQ(r.level, 0.02);
  EXPECT_FALSE(r.recommended);
  EXPECT_EQ(r.clean_alone.value, 1);
  ASSERT_EQ(r.attacks.size(), 4u);
  EXPECT_LT(r.attacks[0].alone.value().value, 0.5);
  for (const Robustness::Attacked& attacked : r.attacks) {
    EXPECT_LE(attacked.purified.value, r.clean_purified.value);
    EXPECT_GE(attacked.purified.value, r.strongest.value);
  }
  options.attack.batch = 64;
  const Robustness same = evaluate_robustness(model, path(), data, data, options);
  EXPECT_EQ(same.strongest.value, r.strongest.value);
}

TEST_F(RobustnessTest, RecommendsWhatIsShownToCostLittle) {
  const Model model = side_model();
  RobustnessOptions options;
  options.sampling.recipe = purification_recipe(model);
  options.sampling.recipe->steps = 1;
  options.attack = {.steps = 1};
  options.draws = 1;
  const Dataset data = halves(2);
  const auto result_of = [&](int others) {
    return evaluate_robustness(model, path(), data, halves(others), options);
  };
  EXPECT_NE(std::string(error_of([&] { result_of(87); }).what()).find("88 or more"), std::string::npos);
  const Robustness r = result_of(1000);
  EXPECT_TRUE(r.recommended);
  EXPECT_EQ(r.level_pictures, 1000);
  for (const Robustness::LevelCost& cost : r.levels) {
    EXPECT_EQ(cost.lost.interval.high <= kRecommendedLoss, cost.level <= r.level) << cost.level;
    EXPECT_NEAR(cost.lost.value, r.level_alone.value - cost.purified.value, 1e-12);
  }
  options.sampling.seed = 3;  // of which one picture of 100 is lost: not more than 3 points, but not shown
  const Robustness few = result_of(100);
  ASSERT_EQ(few.levels.size(), 2u);
  EXPECT_GT(few.levels[1].lost.value, 0);
  EXPECT_LE(few.levels[1].lost.value, kRecommendedLoss);
  EXPECT_GT(few.levels[1].lost.interval.high, kRecommendedLoss);
  EXPECT_EQ(few.level, 0.05);
}

TEST_F(RobustnessTest, Refusals) {
  const Dataset data = halves(4);
  const auto refused = [&](const Dataset& on, const AttackOptions& options, const std::string& word) {
    const Error error = error_of([&] { attack(path(), on, options); });
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
  };
  for (const double eps : {0.0, -0.1, 1.1, std::numeric_limits<double>::quiet_NaN()})
    refused(data, {.eps = eps}, "more than 0 and at most 1");
  refused(data, {.steps = 0}, "1 or more");
  Dataset unlabeled = data;
  unlabeled.labels.clear();
  refused(unlabeled, {}, "labels");
  Dataset others = data;
  others.class_names = {"up", "down"};
  refused(others, {}, "left, right");
  Model model = side_model();
  model.class_names = {"left", "up"};
  const auto judged = [&] { evaluate_robustness(model, path(), data, data, {}); };
  EXPECT_NE(std::string(error_of(judged).what()).find("same classes"), std::string::npos);
  EXPECT_EQ(error_of([&] { attack("no such", data, {}); }).kind(), ErrorKind::usage);
  EXPECT_EQ(error_of([] { parse_attack_norm("l1"); }).kind(), ErrorKind::usage);
}

}  // namespace
}  // namespace diffusion
