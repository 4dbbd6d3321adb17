#include "diffusion/golden_pass.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <diffusion/error.h>
#include "base/rng.h"
#include "diffusion/network_evaluator.h"
#include "nn/network.h"

namespace diffusion {

namespace {

constexpr int kSide = 32;

int golden_side(int sample_size, int multiple) {
  if (sample_size > 0 && sample_size <= kSide) return sample_size;
  return (kSide + multiple - 1) / multiple * multiple;
}

// What a network is told for a time; at least 1 where it takes the logarithm.
double possible_time(const TimeTraits& traits, double time) {
  return told_timestep(traits, traits.positive ? std::max(time, 1.0) : time);
}

// Zeros: of a table of classes, class 0. Tokens are 0, 1, 2, ...
Conditions fixed_conditions(const NetworkTraits& traits, std::size_t pixels) {
  Conditions conditions;
  for (const ConditionTraits& condition : traits.conditions) {
    const bool is_map = condition.kind == ConditionTraits::Kind::map;
    std::vector<float> numbers(std::size_t(condition.size) * (is_map ? pixels : 1));
    if (condition.kind == ConditionTraits::Kind::row)
      for (int k = 0; k < condition.size; ++k) numbers[std::size_t(k)] = float(k % condition.rows);
    conditions.emplace(condition.name, std::move(numbers));
  }
  return conditions;
}

GoldenPass::Level summary(double time, std::span<const double> output) {
  double sum = 0, squares = 0;
  for (const double value : output) sum += value;
  const double mean = sum / double(output.size());
  for (const double value : output) squares += (value - mean) * (value - mean);
  const auto first = output.first(std::min(output.size(), GoldenPass::kValues));
  return {time, mean, std::sqrt(squares / double(output.size())), {first.begin(), first.end()}};
}

}  // namespace

std::vector<double> golden_times(const Model& model) {
  const double low = model.preconditioner.sigma_min(), high = model.preconditioner.sigma_max();
  std::vector<double> times;
  for (const double sigma : {low, std::sqrt(low) * std::sqrt(high), high})
    times.push_back(double(float(model.preconditioner.scalings(sigma).c_noise)));
  return times;
}

GoldenPass run_golden_pass(const Model& model, const Device& device, std::array<int, 2> size,
                           std::span<const double> times) {
  const NetworkTraits traits = model.traits();
  const Conditions conditions = fixed_conditions(traits, std::size_t(size[0]) * std::size_t(size[1]));
  NetworkEvaluator evaluator(model, device, 1, size[0], size[1]);
  std::vector<float> noise(evaluator.input_size()), output(evaluator.output_size());
  fill_normal({.seed = 0, .stream = Stream::sample_noise, .sample = 0, .step = 0}, noise);
  GoldenPass pass{size, {}};
  for (double time : times) {
    time = possible_time(traits.time, time);
    evaluator.evaluate(noise, std::vector<float>{float(time)}, conditions, output);
    pass.levels.push_back(summary(time, std::vector<double>(output.begin(), output.end())));
  }
  return pass;
}

GoldenPass make_golden_pass(const Model& model, const Device& device) {
  const NetworkTraits traits = model.traits();
  return run_golden_pass(model, device,
                         {golden_side(traits.sample_size[0], traits.size_multiple),
                          golden_side(traits.sample_size[1], traits.size_multiple)},
                         golden_times(model));
}

Json to_json(const GoldenPass& pass) {
  Json::Array levels;
  for (const GoldenPass::Level& level : pass.levels)
    levels.push_back(Json::Object{{"time", level.time},
                                  {"mean", level.mean},
                                  {"std", level.std},
                                  {"first", Json::Array(level.first.begin(), level.first.end())}});
  return Json::Object{{"height", pass.size[0]}, {"width", pass.size[1]}, {"levels", std::move(levels)}};
}

GoldenPass parse_golden_pass(const Json& json, std::string_view source) {
  constexpr std::int64_t kMostSide = 4096;
  const auto where = [&](std::string_view field) {
    return fmt::format("{}: field golden.{}", source, field);
  };
  const auto side = [&](const char* field) {
    const std::int64_t value = to_int(member(json, field, where(field)), where(field));
    if (value < 1 || value > kMostSide)
      throw Error(ErrorKind::bad_input,
                  fmt::format("{} is {}; accepted are 1 to {}.", where(field), value, kMostSide));
    return int(value);
  };
  GoldenPass pass{{side("height"), side("width")}, {}};
  for (const Json& level : to_array(member(json, "levels", where("levels")), where("levels"))) {
    const auto number = [&](const char* field) {
      return to_double(member(level, field, where("levels")), where(field));
    };
    pass.levels.push_back({number("time"), number("mean"), number("std"), {}});
    for (const Json& value : to_array(member(level, "first", where("levels")), where("first")))
      pass.levels.back().first.push_back(to_double(value, where("first")));
  }
  if (pass.levels.empty()) throw Error(ErrorKind::bad_input, where("levels") + " is empty");
  return pass;
}

double largest_difference(const GoldenPass& recorded, const GoldenPass& now) {
  double largest = 0;
  for (std::size_t i = 0; i < recorded.levels.size(); ++i) {
    const GoldenPass::Level &a = recorded.levels[i], &b = now.levels.at(i);
    const double size = std::fabs(a.mean) + a.std + std::numeric_limits<double>::min();
    const auto compare = [&](double x, double y) {
      const double difference = x == y ? 0 : std::fabs(x - y) / size;
      largest =
          std::isnan(difference) ? std::numeric_limits<double>::infinity() : std::max(largest, difference);
    };
    compare(a.mean, b.mean);
    compare(a.std, b.std);
    if (a.first.size() != b.first.size()) return std::numeric_limits<double>::infinity();
    for (std::size_t k = 0; k < a.first.size(); ++k) compare(a.first[k], b.first[k]);
  }
  return largest;
}

}  // namespace diffusion
