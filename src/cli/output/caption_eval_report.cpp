#include "cli/output/caption_eval_report.h"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>

#include "cli/options/options.h"

namespace diffusion {

namespace {

Json interval_to_json(const Score& s) {
  return Json::Object{{"value", s.value}, {"low", s.interval.low}, {"high", s.interval.high}};
}

Json recall_to_json(const Retrieval& r) {
  return Json::Object{{"r_at_1", interval_to_json(r.at_1)}, {"r_at_5", interval_to_json(r.at_5)}};
}

Json nearness_to_json(const Nearness& n) {
  Json::Object object{{"own", n.own},
                      {"median_own", n.median_own},
                      {"median_training", n.median_training},
                      {"closest", n.closest}};
  if (n.nearer) {
    object["median_of_real"] = *n.median_of_real;
    object["nearer"] = *n.nearer;
  }
  return object;
}

Json scores_to_json(const CaptionScores& s) {
  Json::Object object{{"captions", s.captions},
                      {"pictures", s.pictures},
                      {"drawn", recall_to_json(s.drawn)},
                      {"drawn_nearest", recall_to_json(s.drawn_nearest)},
                      {"real", recall_to_json(s.real)},
                      {"frechet_distance", s.frechet ? interval_to_json(*s.frechet) : Json(nullptr)},
                      {"frechet_distance_of_real", s.frechet ? Json(s.frechet_of_real) : Json(nullptr)},
                      {"real_against_real_images", s.floor_images},
                      {"nearness", Json::Object{{"pixels", nearness_to_json(s.pixels)},
                                                {"features", nearness_to_json(s.features)}}}};
  if (s.by_caption) {
    object["class_per_caption"] = recall_to_json(*s.by_caption);
    object["class_per_caption_nearest"] = recall_to_json(*s.by_caption_nearest);
  }
  return object;
}

std::string recall_cell(const Score& s) {
  return fmt::format("{:>6.2f}% ({:>5.1f} to {:>5.1f})", 100 * s.value, 100 * s.interval.low,
                     100 * s.interval.high);
}

void print_recall(const char* name, const Retrieval& r) {
  print_line(fmt::format("{:<26} {:>24} {:>24}", name, recall_cell(r.at_1), recall_cell(r.at_5)));
}

void print_nearness(const char* name, const Nearness& n) {
  std::string line = fmt::format("{:<26} {:>8.2f}%  {:>10.5g}  {:>10.5g}  {:>10.5g}", name, 100 * n.own,
                                 n.median_own, n.median_training, n.closest);
  if (n.nearer) line += fmt::format("  {:>10.5g}  {:>8.2f}%", *n.median_of_real, 100 * *n.nearer);
  print_line(line);
}

void print_scores(const CaptionScores& s, const std::string& which) {
  print_line("");
  print_line(fmt::format("{:<26} {:>24} {:>24}", fmt::format("{} {} captions", s.captions, which),
                         "R@1 (5% to 95%)", "R@5 (5% to 95%)"));
  print_recall("drawn", s.drawn);
  print_recall("real pictures", s.real);
  if (s.by_caption) print_recall("a class for each caption", *s.by_caption);
  print_recall("drawn, nearest picture", s.drawn_nearest);
  if (s.by_caption) print_recall("a class for each caption", *s.by_caption_nearest);
  if (s.frechet)
    print_line(fmt::format("{:<26} {:.5f} ({:.5f} to {:.5f}), real against real {:.5f} ({} and {})",
                           "frechet_distance", s.frechet->value, s.frechet->interval.low,
                           s.frechet->interval.high, s.frechet_of_real, s.floor_images, s.floor_images));
  print_line(fmt::format("{:<26} {:>9}  {:>10}  {:>10}  {:>10}{}", "nearest real picture", "own", "to own",
                         "training", "smallest", s.pixels.nearer ? "   real ones     nearer" : ""));
  print_nearness("in pixels", s.pixels);
  print_nearness("in features", s.features);
}

}  // namespace

Json to_json(const CaptionEvaluation& r, const Json& samples) {
  Json::Object json{{"samples", samples},
                    {"data", r.data},
                    {"features_sha256", r.features_sha256},
                    {"captions_known", r.classes},
                    {"training", scores_to_json(r.training)},
                    {"held_out", r.held_out ? scores_to_json(*r.held_out) : Json(nullptr)}};
  if (r.steps > 0) {
    json["steps"] = r.steps;
    json["sampler"] = r.sampler;
  }
  return json;
}

void print_report(const CaptionEvaluation& r) {
  const std::string how = r.steps > 0 ? fmt::format(" ({}, {} steps)", r.sampler, r.steps) : "";
  print_line(fmt::format("{} pictures of {}{}, recognized among {} captions of {}; {} features, sha256 {}",
                         r.training.pictures + (r.held_out ? r.held_out->pictures : 0), r.samples, how,
                         r.classes, r.data, r.feature_width, r.features_sha256.substr(0, 12)));
  print_scores(r.training, "training");
  if (r.held_out) print_scores(*r.held_out, "held-out");
}

}  // namespace diffusion
