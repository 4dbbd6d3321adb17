#include "serve/served_model.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

#include <diffusion/error.h>

namespace diffusion::serve {

namespace {

constexpr int kLeastRepeats = 3, kMostRepeats = 12;
constexpr double kMeasuredSeconds = 0.05;

// As many copies of a row as are wanted.
Rows same_rows(const Model& model, const PictureSize& size, std::size_t count) {
  GenerateOptions options;
  if (model.class_count() > 0) options.label = 0;
  Rows rows;
  rows.append(count, std::vector<double>(count * size.elements()), {model.preconditioner.sigma_max()},
              conditions_of(model, options, 0, int(count)));
  return rows;
}

}  // namespace

ServedModel::ServedModel(std::string name, std::shared_ptr<const Model> model)
    : name_(std::move(name)), model_(std::move(model)), size_(size_of(*model_, {})) {
  if (model_->series)
    throw Error(ErrorKind::usage, name_ + " forecasts series; accepted are models that make pictures");
}

double ServedModel::measure(NetworkEvaluator& evaluator, std::size_t rows) const {
  const Rows same = same_rows(*model_, size_, rows);
  std::vector<double> denoised;
  using Seconds = std::chrono::duration<double>;
  double least = std::numeric_limits<double>::infinity(), all = 0;
  // The first one warms up; the least of some is what the machine can do while it has other work, too.
  for (int k = 0; k < kMostRepeats && (k < kLeastRepeats || all < kMeasuredSeconds); ++k) {
    const auto start = std::chrono::steady_clock::now();
    diffusion::denoise(evaluator, same, rows, denoised);
    const double seconds = Seconds(std::chrono::steady_clock::now() - start).count();
    if (k > 0) least = std::min(least, seconds);
    all += seconds;
  }
  return least;
}

void ServedModel::prepare(const Device& device, std::size_t most_rows, double most_seconds, double enough) {
  const auto evaluator_for = [&](std::size_t rows, std::size_t plans) {
    return NetworkEvaluator(*model_, device, int(rows), size_.height, size_.width,
                            NetworkEvaluator::Use::values, int(plans));
  };
  // Each with an evaluator that goes again, so that the memory for the most is known to be needed.
  std::vector<BatchTime> trials;
  for (const std::size_t rows : batch_sizes(most_rows)) {
    NetworkEvaluator trial = evaluator_for(rows, 1);
    trials.push_back({rows, measure(trial, rows)});
    if (trials.back().seconds <= most_seconds || rows == 1) continue;
    trials.pop_back();
    break;
  }
  const BatchTimes useful = without_needless_rows(std::move(trials), enough);
  evaluator_.emplace(evaluator_for(useful.most(), useful.all().size()));
  std::vector<BatchTime> times;
  for (const BatchTime& time : useful.all()) times.push_back({time.rows, measure(*evaluator_, time.rows)});
  times_.emplace(std::move(times));
}

void ServedModel::denoise(Rows& rows, std::vector<double>& denoised) {
  const std::size_t count = rows.count(), padded = std::max(times_->padded(count), count);
  for (std::size_t row = count; row < padded; ++row) {
    const std::vector<double> last(rows.states.end() - std::ptrdiff_t(size_.elements()), rows.states.end());
    rows.append(1, last, rows.levels.back(), conditions_of_rows(rows, rows.count() - 1, 1));
  }
  diffusion::denoise(*evaluator_, rows, times_->most(), denoised);
}

}  // namespace diffusion::serve
