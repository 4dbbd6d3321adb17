#include "eval/classifier_training.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <diffusion/device.h>
#include <diffusion/error.h>
#include "device/device.h"
#include "device/host_numbers.h"
#include "eval/classifier_files.h"
#include "eval/cross_entropy.h"
#include "files/fs.h"
#include "plan/plan.h"
#include "support/fixtures.h"

namespace diffusion {
namespace {

// 8 x 8 pictures of two classes: a bright column, or a bright row, at a place that the index says.
Dataset stripes(int count) {
  std::vector<std::uint8_t> pixels(std::size_t(count) * 64);
  std::vector<std::uint16_t> labels;
  for (int i = 0; i < count; ++i) {
    const int place = i / 2 % 8;
    labels.push_back(std::uint16_t(i % 2));
    for (int k = 0; k < 8; ++k)
      pixels[std::size_t(i * 64 + (i % 2 == 0 ? 8 * k + place : 8 * place + k))] = std::uint8_t(200 + i % 50);
  }
  return {"stripes", 8, 8, 1, std::move(pixels), std::move(labels), {"column", "row"}};
}

ClassifierConfig small() {
  return {{8, 8}, 1, {"column", "row"}, {8, 16}, 1, 4};
}

// Networks this small are no work for several threads, which would only wait for each other on a busy
// machine.
class ClassifierTest : public testing::Test {
 protected:
  ClassifierTest() { set_threads(1); }
  ~ClassifierTest() override { set_threads(threads_); }

 private:
  int threads_ = thread_count();
};

ErrorKind kind_of(const std::function<void()>& action) {
  return fixtures::error_of(action).kind();
}

TEST_F(ClassifierTest, LearnsWhatItIsShown) {
  const auto device = make_cpu_device(Precision::f32);
  Classifier classifier = make_classifier(small(), 1);
  const Dataset data = stripes(64);
  const double before = accuracy(extract_features(classifier, data, *device).predicted, data);
  std::vector<ClassifierStep> steps;
  train_classifier(classifier, data, *device, {.epochs = 12, .batch = 16, .learning_rate = 1e-2, .shift = 1},
                   [&](const ClassifierStep& step) { steps.push_back(step); });
  ASSERT_EQ(steps.size(), 48u);
  EXPECT_EQ(steps.back().step, steps.back().steps);
  EXPECT_LT(steps.back().loss, 0.5 * steps.front().loss);
  EXPECT_LT(before, 0.9);
  EXPECT_EQ(accuracy(extract_features(classifier, data, *device).predicted, data), 1);
}

TEST_F(ClassifierTest, TrainingIsRepeatable) {
  const auto device = make_cpu_device(Precision::f32);
  Classifier a = make_classifier(small(), 1), b = make_classifier(small(), 1),
             c = make_classifier(small(), 1);
  train_classifier(a, stripes(16), *device, {.epochs = 1, .batch = 8, .seed = 4});
  train_classifier(b, stripes(16), *device, {.epochs = 1, .batch = 8, .seed = 4});
  train_classifier(c, stripes(16), *device, {.epochs = 1, .batch = 8, .seed = 5});
  EXPECT_TRUE(std::ranges::equal(a.params.values(), b.params.values()));
  EXPECT_FALSE(std::ranges::equal(a.params.values(), c.params.values()));
}

// The slope of the whole chain, network, mean, and loss, against a difference quotient on the f64 device.
TEST_F(ClassifierTest, GradientOfTheLoss) {
  const ClassifierConfig config{{4, 4}, 1, {"a", "b", "c"}, {4, 8}, 1, 2};
  Classifier classifier = make_classifier(config, 2);
  const auto device = make_reference_device();
  const ClassifierGraph net = make_classifier_graph(config, 2);
  LearnedParams learned(classifier.params, *device);
  Plan plan(net.graph, net.logit_maps, *device, Mode::training, learned);
  std::vector<float> image(32);
  for (std::size_t i = 0; i < image.size(); ++i) image[i] = float(std::sin(double(i)));
  plan.write_input(net.sample, image);
  const std::vector<int> labels{2, 0};
  constexpr std::size_t kPixels = 4;
  const auto run = [&](std::span<float> grad) {
    plan.forward();
    std::vector<float> maps(2 * 3 * kPixels), logits(6);
    plan.read_output(maps);
    for (std::size_t i = 0; i < maps.size(); ++i) logits[i / kPixels] += maps[i] / float(kPixels);
    return cross_entropy_and_grad(logits, labels, 0, grad);
  };
  std::vector<float> grad(6), map_grad(24);
  run(grad);
  for (std::size_t i = 0; i < 24; ++i) map_grad[i] = grad[i / kPixels] / float(kPixels);
  learned.zero_grads();
  plan.backward(map_grad);
  const HostNumbers grads(learned.queue(), learned.grads());
  for (const char* name :
       {"stem.weight", "stages.0.0.conv1.weight", "stages.0.0.shortcut.bias", "norm.weight", "head.weight"}) {
    const auto& entry = *classifier.params.layout().find(name);
    float& value = classifier.params.values(entry)[0];
    const float kept = value, step = 1.f / 128;
    value = kept + step;
    classifier.params.mark_changed();
    const double up = run({});
    value = kept - step;
    classifier.params.mark_changed();
    const double down = run({});
    value = kept;
    classifier.params.mark_changed();
    EXPECT_NEAR(grads.span()[entry.offset], (up - down) / (2.0 * double(step)), 2e-4) << name;
  }
}

TEST_F(ClassifierTest, FeaturesOfAnImageAreTheSameInAnyBatch) {
  const auto device = make_cpu_device(Precision::f32);
  Classifier classifier = make_classifier(small(), 3);
  const Dataset data = stripes(205);  // two full batches, and five
  const Extracted all = extract_features(classifier, data, *device);
  ASSERT_EQ(all.features.count, 205);
  ASSERT_EQ(all.features.width, 16);
  ASSERT_EQ(all.predicted.size(), 205u);
  const Extracted shard = extract_features(classifier, take_shard(data, 41, 40), *device);
  ASSERT_EQ(shard.features.count, 5);
  for (int i = 0; i < 5; ++i)
    for (std::size_t k = 0; k < 16; ++k)
      EXPECT_NEAR(shard.features.row(i)[k], all.features.row(40 + 41 * i)[k], 1e-5);
  EXPECT_GT(std::abs(all.features.row(0)[0] - all.features.row(1)[0]), 1e-6);
}

TEST_F(ClassifierTest, Refusals) {
  const auto device = make_cpu_device(Precision::f32);
  Classifier classifier = make_classifier(small(), 1);
  Dataset unlabeled = stripes(4);
  unlabeled.labels.clear();
  EXPECT_EQ(kind_of([&] { train_classifier(classifier, unlabeled, *device, {}); }), ErrorKind::usage);
  const Dataset wide{"wide", 8, 16, 1, std::vector<std::uint8_t>(128), {0}, {"column", "row"}};
  EXPECT_EQ(kind_of([&] { train_classifier(classifier, wide, *device, {}); }), ErrorKind::usage);
  EXPECT_EQ(kind_of([&] { extract_features(classifier, wide, *device); }), ErrorKind::usage);
  EXPECT_EQ(kind_of([&] { train_classifier(classifier, stripes(4), *device, {.epochs = 0}); }),
            ErrorKind::usage);
  auto config = small();
  config.sample_size = {8, 9};
  EXPECT_EQ(kind_of([&] { make_classifier(config, 1); }), ErrorKind::usage);
  config = small();
  config.widths = {8, 10};
  EXPECT_EQ(kind_of([&] { make_classifier(config, 1); }), ErrorKind::usage);
  config = small();
  config.class_names = {"one"};
  EXPECT_EQ(kind_of([&] { make_classifier(config, 1); }), ErrorKind::usage);
}

TEST(ClassifierFiles, WrittenAndReadBack) {
  const fixtures::TemporaryFolder folder;
  const auto path = folder.path() / "features";
  const Classifier classifier = make_classifier(small(), 5);
  const std::string hash = write_feature_network(path, classifier, Json::Object{{"data", "stripes"}});
  const FeatureNetwork read = read_feature_network(path);
  EXPECT_EQ(read.sha256, hash);
  EXPECT_EQ(read.classifier.config, classifier.config);
  EXPECT_EQ(read.origin, Json(Json::Object{{"data", "stripes"}}));
  EXPECT_TRUE(std::ranges::equal(read.classifier.params.values(), classifier.params.values()));
}

TEST(ClassifierFiles, RefusesWhatIsNotWhole) {
  const fixtures::TemporaryFolder folder;
  const auto path = folder.path() / "features";
  EXPECT_EQ(kind_of([&] { read_feature_network(path); }), ErrorKind::io);
  write_feature_network(path, make_classifier(small(), 5), nullptr);
  const std::string facts = read_text_file(path / "features.json", 1 << 20);
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = facts;
    const auto at = changed.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    write_file(path / "features.json", std::string_view(changed.replace(at, from.size(), to)));
    EXPECT_EQ(kind_of([&] { read_feature_network(path); }), ErrorKind::bad_input) << to;
  };
  with("\"blocks\": 1", "\"blocks\": 2");  // tensors are missing
  with("\"blocks\": 1", "\"blocks\": 0");
  with("\"blocks\": 1", "\"block\": 1");   // unknown
  with("\"groups\": 4", "\"groups\": 3");  // does not divide
  with("\"sha256\": \"", "\"sha256\": \"0");
  with("\"sha256\"", "\"sha1\"");
  with("\"column\",", "7,");
  with("{", "[");
  write_file(path / "features.json", facts);
  EXPECT_NO_THROW(read_feature_network(path));
  write_file(path / "features.safetensors", std::string_view("not what it was"));
  EXPECT_EQ(kind_of([&] { read_feature_network(path); }), ErrorKind::bad_input);
}

}  // namespace
}  // namespace diffusion
