#include "diffusion/impute_paths.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include <diffusion/error.h>
#include "base/rng.h"
#include "diffusion/image_sampling.h"
#include "series/windows.h"

namespace diffusion {

namespace {

// Some paths of a window of a series.
struct WindowPart {
  std::size_t series;
  std::int64_t start;           // place of its first value
  std::size_t first_gap, gaps;  // which of the places of the series it fills
  std::uint32_t number;         // of the window in the series
  std::uint32_t first_path;
  int paths;
  bool last;  // part of the window
};

// Windows with the places of a series in their middle half, or where the series begins and ends.
void add_windows(const GapPlaces& places, std::size_t k, std::int64_t length, const SeriesForm& form,
                 const PathOptions& options, std::vector<WindowPart>& parts) {
  const std::vector<std::int64_t>& of_series = places[k];
  const std::int64_t cells = form.cells();
  std::uint32_t number = 0;
  for (std::size_t next = 0; next < of_series.size(); ++number) {
    const std::int64_t start = std::clamp<std::int64_t>(of_series[next] - cells / 4, 0, length - cells);
    const std::int64_t end = start == length - cells ? length : start + cells - cells / 4;
    const std::size_t first = next;
    while (next < of_series.size() && of_series[next] < end) ++next;
    for (int done = 0; done < options.paths; done += options.batch) {
      const int count = std::min(options.batch, options.paths - done);
      parts.push_back(
          {k, start, first, next - first, number, std::uint32_t(done), count, done + count == options.paths});
    }
  }
}

// A window as it is sampled.
struct RunningPart {
  const WindowPart& part;
  WindowScale scale;
  std::unique_ptr<ImageSampling> sampling;
};

RunningPart begin_part(const SeriesForm& form, const SeriesTable& table, const PreparedRecipe& prepared,
                       const WindowPart& part, std::uint64_t seed) {
  const auto cells = std::size_t(form.cells());
  const TimeSeries& series = table.series[part.series];
  std::vector<float> x(cells), known(cells * std::size_t(form.known_channels())), counted(cells);
  const auto scale =
      fold_gap_window(form,
                      {.values = std::span(series.values).subspan(std::size_t(part.start), cells),
                       .hidden = std::vector<bool>(cells, false),
                       .time = time_of(table, series, part.start),
                       .interval = table.interval.value_or(1)},
                      x, known, counted);
  if (!scale)
    throw Error(
        ErrorKind::usage,
        fmt::format("series {} of {}: none of the values {} to {} is known; the model sees {} at once, "
                    "and there is nothing to fill them from",
                    series.id, table.name, part.start + 1, part.start + form.cells(), form.cells()));
  const auto words = philox({seed, Stream::gap_window, std::uint32_t(part.series), part.number}, 0);
  const ImageRange range{std::uint64_t(words[0]) << 32 | words[1], part.first_path, std::size_t(part.paths)};
  std::vector<double> noise(range.count * cells);
  image_noise(range.seed, range.first, cells)(0, noise);
  Conditions conditions;
  std::vector<float>& told = conditions[std::string(kKnownCondition)];
  for (std::size_t p = 0; p < range.count; ++p) told.insert(told.end(), known.begin(), known.end());
  return {part, *scale,
          std::make_unique<ImageSampling>(prepared, range, std::move(noise), std::move(conditions),
                                          Conditions{})};
}

void run_together(NetworkEvaluator& evaluator, std::vector<RunningPart>& running, std::size_t batch) {
  Rows rows, none;
  std::vector<double> denoised;
  while (!running.front().sampling->finished()) {  // all of them take the same steps
    rows.clear();
    for (const RunningPart& r : running) r.sampling->ask(rows, none);
    denoise(evaluator, rows, batch, denoised);
    const std::size_t cells = denoised.size() / rows.count();
    std::size_t at = 0;
    for (const RunningPart& r : running) {
      const std::size_t size = std::size_t(r.part.paths) * cells;
      r.sampling->answer(std::span(denoised).subspan(at, size), {});
      at += size;
    }
  }
}

void take_values(const SeriesForm& form, const SeriesTable& table, const GapPlaces& places,
                 const RunningPart& r, std::vector<double>& paths) {
  const auto cells = std::size_t(form.cells());
  const std::vector<std::int64_t>& of_series = places[r.part.series];
  for (std::size_t p = 0; p < std::size_t(r.part.paths); ++p)
    for (std::size_t g = 0; g < r.part.gaps; ++g) {
      const std::size_t gap = r.part.first_gap + g, cell = std::size_t(of_series[gap] - r.part.start);
      const double value = r.scale.to_value(r.sampling->x()[p * cells + cell]);
      if (!std::isfinite(value))
        throw Error(ErrorKind::non_finite,
                    fmt::format("what fills series {} is not finite", table.series[r.part.series].id));
      paths[(r.part.first_path + p) * of_series.size() + gap] = value;
    }
}

}  // namespace

void check_impute(const Model& model, const SeriesTable& table, const GapPlaces& places) {
  if (!model.series || model.series->task != SeriesTask::impute)
    throw Error(ErrorKind::usage,
                fmt::format("this model {}, and fills no gaps; one that does is trained with --series and "
                            "--task impute",
                            model.series ? "forecasts series" : "makes pictures"));
  const SeriesForm& form = *model.series;
  if (form.calendar && !table.has_dates)
    throw Error(ErrorKind::usage,
                fmt::format("{} has no dates, and the model is told the hour of the day", table.name));
  for (std::size_t k = 0; k < table.series.size(); ++k) {
    const TimeSeries& series = table.series[k];
    if (places[k].empty()) continue;
    if (int(series.values.size()) < form.cells())
      throw Error(ErrorKind::usage, fmt::format("series {} of {} has {} values; the model needs {} or more",
                                                series.id, table.name, series.values.size(), form.cells()));
    const auto is_known = [](double value) { return !std::isnan(value); };
    const auto first = std::ranges::find_if(series.values, is_known);
    if (std::none_of(first, series.values.end(),
                     [&](double value) { return is_known(value) && value != *first; }))
      throw Error(
          ErrorKind::usage,
          fmt::format("series {} of {} is the same wherever it is known, which says nothing of what is "
                      "missing; accepted are series of which two values differ",
                      series.id, table.name));
  }
}

std::vector<std::vector<double>> impute_paths(const Model& model, const Device& device,
                                              const SeriesTable& table, const GapPlaces& places,
                                              const PathOptions& options,
                                              const std::function<void(int, int)>& on_window) {
  if (places.size() != table.series.size())
    throw Error(ErrorKind::internal, "impute_paths: there are not as many lists of places as series");
  check_impute(model, table, places);
  const SeriesForm& form = *model.series;
  const PreparedRecipe prepared = prepare_paths(model, options);
  std::vector<std::vector<double>> all(table.series.size());
  std::vector<WindowPart> parts;
  for (std::size_t k = 0; k < all.size(); ++k) {
    all[k].resize(std::size_t(options.paths) * places[k].size());
    add_windows(places, k, std::int64_t(table.series[k].values.size()), form, options, parts);
  }
  const int windows = int(std::ranges::count_if(parts, [](const WindowPart& p) { return p.last; }));
  NetworkEvaluator evaluator(model, device, options.batch, form.rows, form.season,
                             NetworkEvaluator::Use::values, 2);
  int done = 0;
  for (std::size_t next = 0; next < parts.size();) {
    std::vector<RunningPart> running;
    for (int rows = 0; next < parts.size() && rows + parts[next].paths <= options.batch; ++next) {
      rows += parts[next].paths;
      running.push_back(begin_part(form, table, prepared, parts[next], options.seed));
    }
    run_together(evaluator, running, std::size_t(options.batch));
    for (const RunningPart& r : running) {
      take_values(form, table, places, r, all[r.part.series]);
      done += r.part.last;
    }
    if (on_window) on_window(done, windows);
  }
  return all;
}

}  // namespace diffusion
