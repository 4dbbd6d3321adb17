#include "eval/caption_protocol.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <diffusion/error.h>
#include "eval/bootstrap.h"
#include "eval/frechet.h"
#include "eval/image_sets.h"
#include "eval/nearness.h"
#include "eval/word_overlap.h"

namespace diffusion {

namespace {

constexpr int kBootstraps = 100;

// Everything that the scores of both groups are made of.
struct Measured {
  const Classifier& judge;
  const CaptionSets& sets;
  FeatureSet training, held_out, all;  // of the real pictures
  std::vector<std::uint16_t> all_labels;
  EvaluationWatch watch;

  PicturesAndFeatures real_training() const { return {sets.training, training}; }
};

// Rows of a set one after the other, which has these numbers.
FeatureSet rows_of(const FeatureSet& features, std::span<const int> numbers) {
  FeatureSet result{int(numbers.size()), features.width, {}};
  for (const int i : numbers) {
    const auto row = features.row(i);
    result.values.insert(result.values.end(), row.begin(), row.end());
  }
  return result;
}

FeatureSet both(const FeatureSet& a, const FeatureSet& b) {
  FeatureSet result{a.count + b.count, a.width, a.values};
  result.values.insert(result.values.end(), b.values.begin(), b.values.end());
  return result;
}

// The pictures that have one of the captions.
std::vector<int> pictures_of(const Dataset& data, std::span<const std::uint16_t> captions) {
  std::vector<bool> wanted(data.class_names.size());
  for (const std::uint16_t caption : captions) wanted[caption] = true;
  std::vector<int> pictures;
  for (int i = 0; i < data.count(); ++i)
    if (wanted[data.labels[std::size_t(i)]]) pictures.push_back(i);
  return pictures;
}

void compare_distributions(const FeatureSet& drawn, const FeatureSet& real, const FeatureSet& all_real,
                           CaptionScores& scores) {
  constexpr int kLeast = 2;  // for a covariance
  scores.floor_images = std::min(drawn.count, all_real.count / 2);
  if (drawn.count < kLeast || real.count < kLeast || scores.floor_images < kLeast) return;
  scores.frechet = bootstrap_frechet(drawn, real, kBootstraps, 0);
  scores.frechet_of_real = frechet_distance(random_part(all_real, scores.floor_images, 0, 1),
                                            random_part(all_real, scores.floor_images, 1, 1));
}

// `drawings` are of `captions`, and both of pictures of `data`, whose features are `features`.
CaptionScores score(const Measured& m, const PicturesAndFeatures& drawings,
                    std::span<const std::uint16_t> captions, const PicturesAndFeatures& data) {
  CaptionScores scores{.captions = int(captions.size()), .pictures = drawings.images.count()};
  const std::vector<int> numbers = pictures_of(data.images, captions);
  const Dataset real = some_images(data.images, numbers);
  const FeatureSet real_features = rows_of(data.features, numbers);
  scores.drawn =
      retrieval(places_of_asked(m.judge, drawings.features, drawings.images.labels), scores.captions);
  scores.drawn_nearest = retrieval(
      places_of_nearest(drawings.features, drawings.images.labels, m.all, m.all_labels), scores.captions);
  scores.real = retrieval(places_of_asked(m.judge, real_features, real.labels), scores.captions);
  compare_distributions(drawings.features, real_features, m.all, scores);
  const bool held_out = &data.images != &m.sets.training;
  const RealPictures pictures{
      m.real_training(),
      m.sets.held_out ? std::optional(PicturesAndFeatures{*m.sets.held_out, m.held_out}) : std::nullopt,
      {real, real_features},
      held_out};
  scores.pixels = nearness_in_pixels(drawings, pictures, m.watch);
  scores.features = nearness_in_features(drawings, pictures);
  return scores;
}

// As a model would do that draws the training pictures perfectly, and knows each by its whole caption.
void score_by_caption(const Measured& m, std::span<const std::uint16_t> held_out, std::uint64_t seed,
                      CaptionScores& scores) {
  const std::vector<std::string>& names = m.sets.training.class_names;
  std::vector<std::string> asked, known;
  for (const std::uint16_t caption : held_out) asked.push_back(names[caption]);
  for (const std::uint16_t caption : m.sets.training.labels) known.push_back(names[caption]);
  const FeatureSet features = rows_of(m.training, most_words_in_common(asked, known, seed));
  const int trials = int(held_out.size());
  scores.by_caption = retrieval(places_of_asked(m.judge, features, held_out), trials);
  scores.by_caption_nearest = retrieval(places_of_nearest(features, held_out, m.all, m.all_labels), trials);
}

void check_drawings(const Dataset& drawings, const Dataset& real, std::size_t asked) {
  if (std::size_t(drawings.count()) != asked)
    throw Error(ErrorKind::usage,
                fmt::format("{} has {} pictures; {} were asked for", drawings.name, drawings.count(), asked));
  if (drawings.height != real.height || drawings.width != real.width || drawings.channels != real.channels)
    throw Error(
        ErrorKind::usage,
        fmt::format("the pictures of {} are {} x {} x {} and those of {} {} x {} x {} (height, width, "
                    "channels); they must agree",
                    drawings.name, drawings.height, drawings.width, drawings.channels, real.name, real.height,
                    real.width, real.channels));
}

}  // namespace

const ClassifierConfig& judge_of(const EvalNetwork& net) {
  const ClassifierConfig* classifier = classifier_of(net);
  if (!classifier)
    throw Error(ErrorKind::usage,
                "Inception-v3 does not know words; accepted is a network of diffusion train-features "
                "--captions",
                {"features"});
  return *classifier;
}

CaptionEvaluation measure_captions(EvalNetwork& net, const Dataset& drawings, const AskedCaptions& asked,
                                   int per_caption, const CaptionSets& sets, std::uint64_t seed,
                                   const EvaluationWatch& watch) {
  const ClassifierConfig& config = judge_of(net);
  const std::vector<std::uint16_t> labels = asked_of_pictures(asked, per_caption);
  check_drawings(drawings, sets.training, labels.size());
  Extractor extractor(net, watch);
  const auto features_of = [&](const Dataset& images, const char* part) {
    return extractor.of(resized(images, config.sample_size[0], config.sample_size[1]), part).features;
  };
  const FeatureSet drawn = features_of(drawings, "features of drawings");
  Measured m{std::get<FeatureNetwork>(net).classifier, sets, {}, {}, {}, sets.training.labels, watch};
  m.training = m.all = features_of(sets.training, "features of training pictures");
  if (sets.held_out) {
    m.held_out = features_of(*sets.held_out, "features of held-out pictures");
    m.all = both(m.training, m.held_out);
    m.all_labels.insert(m.all_labels.end(), sets.held_out->labels.begin(), sets.held_out->labels.end());
  }
  const auto part = [&](std::size_t first, std::size_t captions) {
    std::vector<int> numbers(captions * std::size_t(per_caption));
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = int(first + i);
    Dataset images = some_images(drawings, numbers);
    for (const int i : numbers) images.labels.push_back(labels[std::size_t(i)]);
    return std::pair{std::move(images), rows_of(drawn, numbers)};
  };
  const auto [of_training, training_features] = part(0, asked.training.size());
  CaptionEvaluation report{
      .samples = drawings.name,
      .data = sets.training.name,
      .features_sha256 = sha256_of(net),
      .classes = int(config.class_names.size()),
      .feature_width = drawn.width,
      .training = score(m, {of_training, training_features}, asked.training, {sets.training, m.training})};
  if (asked.held_out.empty()) return report;
  const auto [of_held_out, held_out_features] =
      part(asked.training.size() * std::size_t(per_caption), asked.held_out.size());
  report.held_out = score(m, {of_held_out, held_out_features}, asked.held_out, {*sets.held_out, m.held_out});
  score_by_caption(m, asked.held_out, seed, *report.held_out);
  return report;
}

}  // namespace diffusion
