#include "serve/served_model.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <diffusion/error.h>

namespace diffusion::serve {

namespace {

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
  double seconds = 0;
  for (int k = 0; k < 3; ++k) {
    const auto start = std::chrono::steady_clock::now();
    diffusion::denoise(evaluator, same, rows, denoised);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    if (k <= 1 || elapsed.count() < seconds) seconds = elapsed.count();  // the first one warms up
  }
  return seconds;
}

void ServedModel::prepare(const Device& device, std::size_t most_rows, double most_seconds) {
  const auto evaluator_for = [&](std::size_t rows, std::size_t plans) {
    return NetworkEvaluator(*model_, device, int(rows), size_.height, size_.width,
                            NetworkEvaluator::Use::values, int(plans));
  };
  // Doubling, each with an evaluator that goes again, so that the memory for the most is known to be needed.
  std::size_t most = 1;
  for (std::size_t rows = 2; rows <= most_rows; rows *= 2) {
    NetworkEvaluator trial = evaluator_for(rows, 1);
    if (measure(trial, rows) > most_seconds) break;
    most = rows;
  }
  const std::vector<std::size_t> sizes = batch_sizes(most);
  evaluator_.emplace(evaluator_for(most, sizes.size()));
  std::vector<BatchTime> times;
  for (const std::size_t rows : sizes) times.push_back({rows, measure(*evaluator_, rows)});
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
