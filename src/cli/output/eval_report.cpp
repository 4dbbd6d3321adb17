#include "cli/output/eval_report.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "cli/options/options.h"
#include "cli/output/likelihood_report.h"

namespace diffusion {

namespace {

using Row = std::pair<const char*, Score>;
std::array<Row, 6> rows_of(const Evaluation& e) {
  return {Row{"frechet_distance", e.frechet}, {"kid", e.kid},
          {"precision", e.prdc.precision},    {"recall", e.prdc.recall},
          {"density", e.prdc.density},        {"coverage", e.prdc.coverage}};
}

Json to_json(const Score& s) {
  return Json::Object{{"value", s.value}, {"low", s.interval.low}, {"high", s.interval.high}};
}

Json to_json(const Evaluation& e) {
  Json::Object object{{"images", e.generated}, {"real_images", e.real}};
  for (const auto& [name, score] : rows_of(e)) object[name] = to_json(score);
  return object;
}

Json to_json(const Memorization& m) {
  return Json::Object{{"closest", m.closest}, {"test_quantile", m.test_quantile},
                      {"nearer", m.nearer},   {"share_nearer", m.share_nearer},
                      {"median", m.median},   {"test_median", m.test_median}};
}

Json or_null(const std::optional<double>& value) {
  return value ? Json(*value) : Json(nullptr);
}

std::string agreement_missing(const std::string& network) {
  return fmt::format("{} was not trained to tell these classes apart", network);
}

Json to_json(const ClassScores& s) {
  Json::Object object{{"images", s.generated},
                      {"real_images", s.real},
                      {"agreement", or_null(s.agreement)},
                      {"precision", or_null(s.precision)},
                      {"recall", or_null(s.recall)},
                      {"frechet_distance", or_null(s.frechet)},
                      {"frechet_distance_of_real", or_null(s.frechet_of_real)}};
  if (!s.missing.empty()) object["missing"] = s.missing;
  return object;
}

void print_scores(const EvalReport::AtCount& at) {
  print_line(fmt::format("{:<20} {:>9}  {:>20}  real against real ({} and {})",
                         fmt::format("{} samples", at.scores.generated), "value", "5% to 95%",
                         at.floor.generated, at.floor.real));
  const auto rows = rows_of(at.scores), floors = rows_of(at.floor);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Score& s = rows[i].second;
    print_line(fmt::format("{:<20} {:>9.5f}  {:>9.5f} {:>10.5f}  {:.5f}", rows[i].first, s.value,
                           s.interval.low, s.interval.high, floors[i].second.value));
  }
}

void print_copies(const EvalReport::Copies& copies) {
  print_line("");
  print_line("distance to the nearest training image");
  const std::string quantile = fmt::format("{}%", 100 * kSuspectQuantile);
  print_line(fmt::format("{:<20} {:>9}  {:>9}  {:>19}  {:>9}  samples nearer than {}", "", "smallest",
                         "median", fmt::format("test images: {}", quantile), "median", quantile));
  for (const auto& [name, m] : {std::pair{"in pixels", copies.pixels}, {"in features", copies.features}})
    print_line(fmt::format("{:<20} {:>9.5g}  {:>9.5g}  {:>19.5g}  {:>9.5g}  {} ({:.3g}%)", name, m.closest,
                           m.median, m.test_quantile, m.test_median, m.nearer, 100 * m.share_nearer));
}

std::string cell(const std::optional<double>& value) {
  return value ? fmt::format("{:.5f}", *value) : "-";
}

void print_classes(const EvalReport::Classes& classes) {
  print_line("");
  print_line(fmt::format("{:<20} {:>9}  {:>9}  {:>9}  {:>9}  {:>16}  {:>17}", "class", "samples", "agreement",
                         "precision", "recall", "frechet_distance", "real against real"));
  for (std::size_t k = 0; k < classes.names.size(); ++k) {
    const ClassScores& s = classes.scores[k];
    if (s.generated == 0) continue;
    print_line(fmt::format("{:<20} {:>9}  {:>9}  {:>9}  {:>9}  {:>16}  {:>17}", classes.names[k], s.generated,
                           cell(s.agreement), cell(s.precision), cell(s.recall), cell(s.frechet),
                           cell(s.frechet_of_real)));
  }
  // The first reason stands for all: it is the number of images.
  for (std::size_t k = 0; k < classes.names.size(); ++k) {
    const ClassScores& s = classes.scores[k];
    if (s.generated == 0 || s.missing.empty()) continue;
    print_line(fmt::format("-: {}: {}", classes.names[k], s.missing));
    break;
  }
}

void print_sound(const SoundReport& sound) {
  print_line("");
  print_line("clips that the feature network takes for their class");
  const auto row = [](const char* name, const Score& s, const char* what) {
    print_line(fmt::format("{:<20} {:>9.5f}  {:>9.5f} {:>10.5f}  {}", name, s.value, s.interval.low,
                           s.interval.high, what));
  };
  row("real clips", sound.real, "mel pictures of test clips");
  row("real clips, heard", sound.real_heard, "after mel picture and Griffin-Lim, as samples are");
  row("samples", sound.samples, "pictures, as the model draws them");
  row("samples, heard", sound.samples_heard, "after Griffin-Lim");
}

}  // namespace

Json to_json(const EvalReport& r, const Json& samples) {
  Json::Object json{{"samples", samples},
                    {"data", r.data},
                    {"feature_network", r.network},
                    {"features_sha256", r.features_sha256},
                    {"scores", to_json(r.counts.front().scores)},
                    {"real_against_real", to_json(r.counts.front().floor)}};
  if (r.steps > 0) {
    json["steps"] = r.steps;
    json["sampler"] = r.sampler;
  }
  for (std::size_t i = 1; i < r.counts.size(); ++i)
    json[fmt::format("at_{}", r.counts[i].scores.generated)] = Json::Object{
        {"scores", to_json(r.counts[i].scores)}, {"real_against_real", to_json(r.counts[i].floor)}};
  if (r.copies)
    json["memorization"] = Json::Object{{"pixels", to_json(r.copies->pixels)},
                                        {"features", to_json(r.copies->features)},
                                        {"quantile", kSuspectQuantile},
                                        {"test_images", r.copies->test_images},
                                        {"training_images", r.copies->training_images}};
  if (r.classes) {
    Json::Object by_class;
    for (std::size_t k = 0; k < r.classes->names.size(); ++k)
      by_class[r.classes->names[k]] = to_json(r.classes->scores[k]);
    json["class_agreement"] = or_null(r.classes->agreement);
    if (!r.classes->agreement) json["class_agreement_missing"] = agreement_missing(r.network);
    json["classes"] = std::move(by_class);
  }
  if (r.network_accuracy) json["feature_network_accuracy"] = *r.network_accuracy;
  if (r.classification) {
    json["classification_score"] = to_json(r.classification->accuracy);
    json["classification_score_steps"] = r.classification->steps;
  }
  if (r.bits) json["bits_per_dimension"] = to_json(*r.bits);
  if (r.sound)
    json["recognized"] = Json::Object{{"real_clips", to_json(r.sound->real)},
                                      {"real_clips_heard", to_json(r.sound->real_heard)},
                                      {"samples", to_json(r.sound->samples)},
                                      {"samples_heard", to_json(r.sound->samples_heard)}};
  return json;
}

void print_report(const EvalReport& r) {
  const Evaluation& all = r.counts.front().scores;
  const std::string how = r.steps > 0 ? fmt::format(" ({}, {} steps)", r.sampler, r.steps) : "";
  print_line(fmt::format("{} images of {}{} against {} real ones of {}; {} features of {}, sha256 {}",
                         all.generated, r.samples, how, all.real, r.data, r.feature_width, r.network,
                         r.features_sha256.substr(0, 12)));
  for (const EvalReport::AtCount& at : r.counts) {
    print_line("");
    print_scores(at);
  }
  if (r.copies) print_copies(*r.copies);
  if (r.bits) {
    print_line("");
    print_likelihood(*r.bits, r.data);
  }
  if (r.sound) print_sound(*r.sound);
  if (!r.classes && !r.classification) return;
  print_line("");
  if (r.classes)
    print_line(fmt::format("{:<20} {:>9}  {}", "class_agreement", cell(r.classes->agreement),
                           r.classes->agreement ? "samples that the feature network takes for their class"
                                                : agreement_missing(r.network)));
  if (r.classification) {
    const Score& s = r.classification->accuracy;
    print_line(
        fmt::format("{:<20} {:>9.5f}  {:>9.5f} {:>10.5f}  test images that a classifier trained on the "
                    "samples takes for their class",
                    "classification_score", s.value, s.interval.low, s.interval.high));
  }
  if (r.network_accuracy)
    print_line(fmt::format("{:<20} {:>9.5f}  the same of the feature network, trained on real images",
                           "feature network", *r.network_accuracy));
  if (r.classes) print_classes(*r.classes);
}

}  // namespace diffusion
