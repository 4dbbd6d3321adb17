#include "eval/caption_protocol.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include <diffusion/device.h>
#include <diffusion/error.h>
#include "eval/caption_network.h"
#include "eval/image_sets.h"
#include "support/fixtures.h"

namespace diffusion {
namespace {

constexpr int kSide = 8, kColors = 4, kShapes = 3;

// A square, a cross or a bar in one of four colors on white.
Dataset colored_shapes() {
  constexpr std::uint8_t colors[kColors][3] = {{220, 30, 30}, {30, 180, 40}, {30, 50, 220}, {20, 20, 20}};
  const char* const color_names[] = {"red", "green", "blue", "black"};
  const char* const shape_names[] = {"square", "cross", "bar"};
  Dataset data{"shapes", kSide, kSide, 3, {}, {}, {}};
  std::vector<std::uint8_t> pixels;
  for (int shape = 0; shape < kShapes; ++shape)
    for (int color = 0; color < kColors; ++color) {
      data.labels.push_back(std::uint16_t(data.class_names.size()));
      data.class_names.push_back(std::string(color_names[color]) + " " + shape_names[shape]);
      for (int y = 0; y < kSide; ++y)
        for (int x = 0; x < kSide; ++x) {
          const bool in_bar = y == 3 || y == 4, in_post = x == 3 || x == 4,
                     inside = x > 0 && x < 7 && y > 0 && y < 7;
          const bool on = shape == 0 ? inside : shape == 1 ? in_bar || in_post : in_bar;
          for (int c = 0; c < 3; ++c) pixels.push_back(on ? colors[color][c] : 255);
        }
    }
  data.pixels = std::move(pixels);
  return data;
}

// The last picture of each shape is held out. A judge of all of them is trained once.
class CaptionProtocol : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const int threads = thread_count();
    set_threads(1);
    const Dataset all = colored_shapes();
    ClassifierConfig config{{kSide, kSide}, 3, all.class_names, {8, 32}, 1, 4};
    Classifier judge = make_classifier(config, 1);
    ClassifierTraining training = caption_training();
    training.epochs = 150;
    training.batch = kColors * kShapes;
    training.learning_rate = 1e-2;
    training.views->cover = 0;
    training.views->noise = 0.05;
    train_classifier(judge, all, *make_cpu_device(Precision::f32), training);
    net_ = std::make_unique<EvalNetwork>(FeatureNetwork{std::move(judge), "0123456789abcdef", nullptr});
    set_threads(threads);
  }
  static void TearDownTestSuite() { net_.reset(); }

  static CaptionSets sets() {
    const Dataset all = colored_shapes();
    return {some_images(all, std::vector<int>{0, 1, 2, 4, 5, 6, 8, 9, 10}),
            some_images(all, std::vector<int>{3, 7, 11})};
  }
  // The real pictures of these captions.
  static Dataset drawings(const std::vector<int>& captions) {
    Dataset images = some_images(colored_shapes(), captions);
    images.labels.clear();
    return images;
  }
  static CaptionEvaluation measure(const std::vector<int>& captions) {
    const CaptionSets real = sets();
    return measure_captions(*net_, drawings(captions), choose_captions(real, std::nullopt, 0), 1, real, 0);
  }
  static inline std::unique_ptr<EvalNetwork> net_;
};

TEST_F(CaptionProtocol, APerfectModel) {
  const CaptionEvaluation r = measure({0, 1, 2, 4, 5, 6, 8, 9, 10, 3, 7, 11});
  EXPECT_EQ(r.classes, 12);
  ASSERT_TRUE(r.held_out);
  for (const CaptionScores* s : {&r.training, &*r.held_out}) {
    EXPECT_EQ(s->drawn.at_1.value, 1);
    EXPECT_EQ(s->drawn.at_5.value, 1);
    EXPECT_EQ(s->drawn_nearest.at_1.value, 1);
    EXPECT_EQ(s->real.at_1.value, 1);
    ASSERT_TRUE(s->frechet);
    EXPECT_NEAR(s->frechet->value, 0, 1e-4);
    EXPECT_GT(s->frechet_of_real, 0.01);
    for (const Nearness* n : {&s->pixels, &s->features}) {
      EXPECT_EQ(n->own, 1);
      EXPECT_EQ(n->median_own, 0);
    }
  }
  EXPECT_EQ(r.training.captions, 9);
  EXPECT_EQ(r.training.pixels.closest, 0);
  EXPECT_FALSE(r.training.pixels.nearer);
  EXPECT_FALSE(r.training.by_caption);
  // What is held out is as near to the training pictures as the real picture is: no copy.
  EXPECT_EQ(r.held_out->captions, 3);
  EXPECT_EQ(r.held_out->pixels.nearer, 0);
  EXPECT_EQ(r.held_out->pixels.median_training, r.held_out->pixels.median_of_real);
  EXPECT_GT(r.held_out->pixels.closest, 100);
}

// Each picture is another one's: the same pictures, but not what was asked for.
TEST_F(CaptionProtocol, AModelThatDoesNotListen) {
  const CaptionEvaluation r = measure({1, 2, 4, 5, 6, 8, 9, 10, 0, 0, 1, 2});
  EXPECT_EQ(r.training.drawn.at_1.value, 0);
  EXPECT_EQ(r.training.drawn_nearest.at_1.value, 0);
  EXPECT_EQ(r.training.real.at_1.value, 1);
  EXPECT_NEAR(r.training.frechet->value, 0, 1e-4);  // which a Frechet distance does not see
  EXPECT_EQ(r.training.pixels.own, 0);
  EXPECT_EQ(r.training.pixels.closest, 0);
  EXPECT_GT(r.training.pixels.median_own, 100);
  // Of the held-out captions it draws training pictures.
  EXPECT_EQ(r.held_out->drawn.at_1.value, 0);
  EXPECT_EQ(r.held_out->pixels.nearer, 1);
  EXPECT_EQ(r.held_out->features.nearer, 1);
  EXPECT_EQ(r.held_out->pixels.median_training, 0);
}

// A training picture in answer to a caption that it does not have is never what was asked for.
TEST_F(CaptionProtocol, OneClassForEachCaption) {
  const CaptionEvaluation r = measure({0, 1, 2, 4, 5, 6, 8, 9, 10, 3, 7, 11});
  ASSERT_TRUE(r.held_out->by_caption);
  EXPECT_EQ(r.held_out->by_caption->at_1.value, 0);
  EXPECT_EQ(r.held_out->by_caption_nearest->at_1.value, 0);
  EXPECT_GT(r.held_out->by_caption->at_1.interval.high, 0.3);  // of three
}

TEST_F(CaptionProtocol, SeveralPicturesOfACaptionAndNoHeldOutOnes) {
  CaptionSets real = sets();
  real.held_out.reset();
  const AskedCaptions asked = choose_captions(real, 2, 0);
  std::vector<int> captions;
  for (const std::uint16_t caption : asked_of_pictures(asked, 3)) captions.push_back(caption);
  captions.back() = captions.front();
  const CaptionEvaluation r = measure_captions(*net_, drawings(captions), asked, 3, real, 0);
  EXPECT_FALSE(r.held_out);
  EXPECT_EQ(r.training.captions, 2);
  EXPECT_EQ(r.training.pictures, 6);
  EXPECT_DOUBLE_EQ(r.training.drawn.at_1.value, 5.0 / 6);
}

TEST_F(CaptionProtocol, TheJudgeSeesPicturesOfItsOwnSize) {
  CaptionSets real = sets();
  real.training = resized(real.training, 16, 16);
  real.held_out = resized(*real.held_out, 16, 16);
  const AskedCaptions asked = choose_captions(real, std::nullopt, 0);
  const Dataset large = resized(drawings({0, 1, 2, 4, 5, 6, 8, 9, 10, 3, 7, 11}), 16, 16);
  const CaptionEvaluation r = measure_captions(*net_, large, asked, 1, real, 0);
  EXPECT_GE(r.training.drawn.at_1.value, 8.0 / 9);
  EXPECT_EQ(r.training.drawn.at_1.value, r.training.real.at_1.value);
  EXPECT_EQ(r.held_out->pixels.own, 1);
}

TEST_F(CaptionProtocol, Refusals) {
  using fixtures::error_of;
  const CaptionSets real = sets();
  const AskedCaptions asked = choose_captions(real, std::nullopt, 0);
  EXPECT_EQ(error_of([&] {
              measure_captions(*net_, drawings({1, 2}), asked, 1, real, 0);
            }).kind(),
            ErrorKind::usage);
  const Dataset large = resized(drawings({0, 1, 2, 4, 5, 6, 8, 9, 10, 3, 7, 11}), 16, 16);
  EXPECT_EQ(error_of([&] { measure_captions(*net_, large, asked, 1, real, 0); }).kind(), ErrorKind::usage);
}

TEST_F(CaptionProtocol, TheJudgeIsTestedOnViewsThatItDoesNotKnow) {
  Classifier& judge = std::get<FeatureNetwork>(*net_).classifier;
  ClassifierTraining training = caption_training();
  training.views->cover = 0;
  training.views->noise = 0.05;
  const CaptionTest test =
      test_caption_network(judge, colored_shapes(), *make_cpu_device(Precision::f32), training);
  EXPECT_EQ(test.pictures.at_1.value, 1);
  EXPECT_GE(test.new_views.at_5.value, 0.8);
  EXPECT_GE(test.half_size.at_5.value, 0.5);
}

}  // namespace
}  // namespace diffusion
