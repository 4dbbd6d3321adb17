#include "serve/runs_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <system_error>
#include <utility>

#include <diffusion/error.h>
#include "base/utf8.h"
#include "files/folders.h"
#include "files/fs.h"
#include "serve/wish.h"
#include "train/outlook.h"
#include "train/run_log.h"
#include "train/run_plot.h"

namespace diffusion::serve {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostPoints = 400;  // of a curve: as many as a screen shows
constexpr std::uint64_t kMostPreviewBytes = std::uint64_t(16) << 20;

// Steps, the mean loss of those up to each since the one before, and the smoothed loss there.
Json curve_of(const RunLog& log) {
  const std::vector<double> smooth = smoothed_loss(log.loss);
  const std::size_t count = log.step.size(), points = std::min(count, kMostPoints);
  Json::Array steps, losses, smoothed;
  for (std::size_t k = 0, from = 0; k < points; ++k) {
    const std::size_t to = (k + 1) * count / points;
    double sum = 0;
    for (std::size_t line = from; line < to; ++line) sum += log.loss[line];
    steps.push_back(log.step[to - 1]);
    losses.push_back(sum / double(to - from));
    smoothed.push_back(smooth[to - 1]);
    from = to;
  }
  return Json::Object{{"step", steps}, {"loss", losses}, {"smoothed", smoothed}};
}

Json held_out_of(const RunLog& log) {
  Json::Array all;
  for (const RunLog::HeldOut& held_out : log.held_out) {
    const HeldOutLoss& measured = held_out.measured;
    all.push_back(
        Json::Object{{"step", held_out.step},
                     {"loss", measured.loss},
                     {"sigma", Json::Array(measured.sigma.begin(), measured.sigma.end())},
                     {"loss_by_sigma", Json::Array(measured.by_sigma.begin(), measured.by_sigma.end())}});
  }
  return all;
}

Json::Object read_log(const fs::path& run) {
  try {
    const RunLog log = read_run_log(run);
    if (log.step.empty()) return {{"error", "log.jsonl has no whole line yet"}};
    return {{"error", nullptr},
            {"steps", std::int64_t(log.step.back())},
            {"loss", smoothed_loss(log.loss).back()},
            {"learning_rate", log.learning_rate.back()},
            {"seconds", log.seconds.back()},
            {"outlook", describe(outlook_of(log))},
            {"curve", curve_of(log)},
            {"held_out", held_out_of(log)}};
  } catch (const Error& error) {
    // The path is nobody's business.
    std::string text = error.what();
    const std::string place = run.string() + "/";
    for (std::size_t at = text.find(place); at != std::string::npos; at = text.find(place))
      text.erase(at, place.size());
    return {{"error", text}};
  }
}

// As runs call them: step-000000232.png.
fs::path preview_path(const fs::path& run, std::int64_t step) {
  return run / "previews" / fmt::format("step-{:09}.png", step);
}

Json::Array previews_of(const fs::path& run) {
  std::vector<std::int64_t> steps;
  std::error_code none;
  for (fs::directory_iterator entry(run / "previews", none), end; !none && entry != end;
       entry.increment(none)) {
    const std::string name = entry->path().filename().string();
    std::int64_t step = 0;
    if (name.size() != 18 || !name.starts_with("step-") || !name.ends_with(".png")) continue;
    const std::string digits = name.substr(5, 9);
    if (!std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; })) continue;
    for (const char digit : digits) step = 10 * step + (digit - '0');
    steps.push_back(step);
  }
  std::ranges::sort(steps);
  return {steps.begin(), steps.end()};
}

}  // namespace

RunsFolder::RunsFolder(fs::path folder) : folder_(std::move(folder)) {
  if (!is_folder(folder_))
    throw Error(ErrorKind::io,
                fmt::format("{} is no folder; accepted is one that holds training runs", folder_.string()));
}

bool RunsFolder::has(const std::string& name) const {
  return std::ranges::count(names(), name) > 0;
}

std::vector<std::string> RunsFolder::names() const {
  std::vector<std::string> names;
  for (const fs::path& entry : entries_of(folder_)) {
    std::error_code ignored;
    const std::string name = entry.filename().string();
    if (fs::is_regular_file(entry / "log.jsonl", ignored) && is_utf8(name)) names.push_back(name);
  }
  return names;
}

std::optional<Json::Object> RunsFolder::details(const std::string& name) {
  if (!has(name)) return {};
  const fs::path run = folder_ / name, log = run / "log.jsonl";
  std::error_code ignored;
  const std::uintmax_t size = fs::file_size(log, ignored);
  const fs::file_time_type time = fs::last_write_time(log, ignored);
  auto known = read_.find(name);
  if (known == read_.end() || known->second.size != size || known->second.time != time)
    known = read_.insert_or_assign(name, Read{size, time, read_log(run)}).first;
  Json::Object details = known->second.log;
  const std::chrono::duration<double> idle = fs::file_time_type::clock::now() - time;
  details["name"] = name;
  details["idle_seconds"] = std::max(idle.count(), 0.0);
  details["previews"] = previews_of(run);
  details["command"] = fmt::format("diffusion plot {} -o loss.svg", quoted_word(name));
  return details;
}

std::optional<std::string> RunsFolder::preview(const std::string& name, std::int64_t step) const {
  const fs::path path = preview_path(folder_ / name, step);
  std::error_code ignored;
  if (!has(name) || !fs::is_regular_file(path, ignored)) return {};
  const std::string bytes = read_text_file(path, kMostPreviewBytes);
  return bytes.starts_with("\x89PNG") ? std::optional(bytes) : std::nullopt;
}

}  // namespace diffusion::serve
