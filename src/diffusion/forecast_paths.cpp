#include "diffusion/forecast_paths.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include <diffusion/error.h>
#include "diffusion/default_recipe.h"
#include "diffusion/image_sampling.h"
#include "series/windows.h"

namespace diffusion {

namespace {

constexpr int kForecastSteps = 10;

// A series as the network sees it, and the way back.
struct FoldedSeries {
  std::vector<float> known;
  WindowScale scale;
};

FoldedSeries fold_end(const SeriesForm& form, const SeriesTable& table, const TimeSeries& series) {
  const auto cells = std::size_t(form.cells());
  FoldedSeries folded{std::vector<float>(cells * std::size_t(form.known_channels())), {}};
  std::vector<float> x(cells), counted(cells);
  const auto scale = fold_window(form,
                                 {.past = series.values,
                                  .future = {},
                                  .time = time_of(table, series, std::int64_t(series.values.size())),
                                  .interval = table.interval.value_or(1)},
                                 x, folded.known, counted);
  if (!scale)
    throw Error(ErrorKind::usage,
                fmt::format("series {} of {}: none of its last {} values is known, so there is "
                            "nothing to forecast from",
                            series.id, table.name, form.context()));
  folded.scale = *scale;
  return folded;
}

// Samples `count` paths from number `first` of a seed on, and appends their values.
void sample_paths(NetworkEvaluator& evaluator, const PreparedRecipe& prepared, const ImageRange& range,
                  const FoldedSeries& series, const SeriesForm& form, std::vector<double>& paths) {
  const auto cells = std::size_t(form.cells());
  std::vector<double> noise(range.count * cells), denoised;
  image_noise(range.seed, range.first, cells)(0, noise);
  Conditions conditions;
  std::vector<float>& known = conditions[std::string(kKnownCondition)];
  for (std::size_t p = 0; p < range.count; ++p)
    known.insert(known.end(), series.known.begin(), series.known.end());
  ImageSampling sampling(prepared, range, std::move(noise), std::move(conditions), {});
  Rows rows, none;
  while (!sampling.finished()) {
    rows.clear();
    sampling.ask(rows, none);
    denoise(evaluator, rows, range.count, denoised);
    sampling.answer(denoised, {});
  }
  for (std::size_t p = 0; p < range.count; ++p)
    for (auto i = std::size_t(form.context()); i < cells; ++i)
      paths.push_back(series.scale.to_value(sampling.x()[p * cells + i]));
}

}  // namespace

SamplingRecipe forecast_recipe(const Model& model) {
  SamplingRecipe recipe = with_sampler(scheduler_recipe(model), find_sampler("dpmpp_2m"), model);
  recipe.steps = kForecastSteps;
  return recipe;
}

PreparedRecipe prepare_paths(const Model& model, const PathOptions& options) {
  if (options.paths < 1 || options.batch < 1)
    throw Error(ErrorKind::usage,
                fmt::format("paths is {} and batch {}; accepted is 1 or more", options.paths, options.batch));
  return prepare_recipe(model, options.recipe ? *options.recipe : forecast_recipe(model),
                        std::size_t(model.series->cells()));
}

void check_forecast(const Model& model, const SeriesTable& table) {
  if (!model.series)
    throw Error(ErrorKind::usage,
                "this model makes pictures, and forecasts no series; one that does is trained "
                "with series");
  const SeriesForm& form = *model.series;
  if (form.task != SeriesTask::forecast)
    throw Error(
        ErrorKind::usage,
        "this model fills gaps in series, and forecasts none; one that does is trained without --task "
        "impute");
  if (form.calendar && !table.has_dates)
    throw Error(ErrorKind::usage,
                fmt::format("{} has no dates, and the model is told the hour of the day", table.name));
  for (const TimeSeries& series : table.series)
    if (int(series.values.size()) < form.context())
      throw Error(ErrorKind::usage, fmt::format("series {} of {} has {} values; the model needs {} or more",
                                                series.id, table.name, series.values.size(), form.context()));
}

std::vector<std::vector<double>> forecast_paths(const Model& model, const Device& device,
                                                const SeriesTable& table, const PathOptions& options,
                                                const std::function<void(int)>& on_series) {
  check_forecast(model, table);
  const SeriesForm& form = *model.series;
  const PreparedRecipe prepared = prepare_paths(model, options);
  const int batch = std::min(options.batch, options.paths);
  NetworkEvaluator evaluator(model, device, batch, form.rows, form.season, NetworkEvaluator::Use::values, 2);
  std::vector<std::vector<double>> all(table.series.size());
  for (std::size_t k = 0; k < all.size(); ++k) {
    const FoldedSeries folded = fold_end(form, table, table.series[k]);
    for (int done = 0; done < options.paths; done += batch) {
      const int count = std::min(batch, options.paths - done);
      const std::uint32_t first = std::uint32_t(k) * std::uint32_t(options.paths) + std::uint32_t(done);
      sample_paths(evaluator, prepared, {options.seed, first, std::size_t(count)}, folded, form, all[k]);
    }
    if (!std::ranges::all_of(all[k], [](double value) { return std::isfinite(value); }))
      throw Error(ErrorKind::non_finite,
                  fmt::format("the forecast of series {} is not finite", table.series[k].id));
    if (on_series) on_series(int(k) + 1);
  }
  return all;
}

}  // namespace diffusion
