#include "base/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace diffusion {

namespace {

constexpr double kStatusSeconds = 0.1, kLineSeconds = 10, kRateWindowSeconds = 30, kSampleSeconds = 0.5;

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Three significant digits, but never an exponent.
std::string format_rate(double rate) {
  if (rate >= 100) return fmt::format("{:.0f}", rate);
  return rate >= 10 ? fmt::format("{:.1f}", rate) : fmt::format("{:.2f}", rate);
}

}  // namespace

std::string format_duration(double seconds) {
  constexpr double kLongest = 1e9;  // thirty years: the job will not end
  if (!(seconds < kLongest)) return "?";
  const std::int64_t s = std::llround(std::max(seconds, 0.0));
  const std::int64_t days = s / 86400, hours = s / 3600 % 24, minutes = s / 60 % 60;
  if (days > 0) return fmt::format("{}d {:02}:{:02}:{:02}", days, hours, minutes, s % 60);
  if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, minutes, s % 60);
  return fmt::format("{}:{:02}", minutes, s % 60);
}

Progress::Progress(std::string title, std::int64_t total, bool quiet, std::string unit)
    : Progress(std::move(title), total, quiet, std::move(unit), stderr_log(), steady_seconds) {}

Progress::Progress(std::string title, std::int64_t total, bool quiet, std::string unit, Log& log, Clock clock)
    : title_(std::move(title)),
      unit_(std::move(unit)),
      total_(total),
      quiet_(quiet),
      log_(log),
      clock_(std::move(clock)),
      last_shown_(clock_()) {}

Progress::~Progress() {
  finish();
}

void Progress::update(std::int64_t done, std::string_view note) {
  update(Sample{clock_(), double(done), total_ > 0 ? double(done) / double(total_) : 0}, note);
}

void Progress::update(double fraction, std::string_view note) {
  update(Sample{clock_(), fraction * double(total_), fraction}, note);
}

void Progress::update(const Sample& now, std::string_view note) {
  if (quiet_) return;
  if (samples_.empty()) samples_.push_back(now);
  const double interval = log_.is_terminal() ? kStatusSeconds : kLineSeconds;
  if (now.seconds - last_shown_ >= interval) {
    last_shown_ = now.seconds;
    shown_ = true;
    if (log_.is_terminal())
      log_.status(text(now, note));
    else
      log_.line(text(now, note));
  }
  if (now.seconds - samples_.back().seconds < kSampleSeconds) return;
  samples_.push_back(now);
  while (samples_.size() > 2 && now.seconds - samples_[1].seconds >= kRateWindowSeconds) samples_.pop_front();
}

std::string Progress::text(const Sample& now, std::string_view note) const {
  const std::string space = unit_.empty() ? "" : " ";
  std::string line = title_;
  if (now.fraction > 0) line += fmt::format("  {:.0f}%", 100 * std::min(now.fraction, 1.0));
  constexpr double kRounding = 1e-6;  // 0.29 * 100 is a bit less than 29
  const auto done = std::int64_t(now.done + kRounding);
  if (total_ > 0)
    line += fmt::format("  {}/{}{}{}", done, total_, space, unit_);
  else if (done > 0)
    line += fmt::format("  {}{}{}", done, space, unit_);

  const Sample& then = samples_.front();
  const double seconds = now.seconds - then.seconds;
  if (seconds > 0 && now.done > then.done)
    line += fmt::format("  {}{}{}/s", format_rate((now.done - then.done) / seconds), space, unit_);
  if (seconds > 0 && now.fraction > then.fraction) {
    const double left = std::max(1 - now.fraction, 0.0);
    line += fmt::format("  ETA {}", format_duration(left * seconds / (now.fraction - then.fraction)));
  }
  if (!note.empty()) line += fmt::format("  {}", note);
  return line;
}

void Progress::finish() {
  if (shown_) log_.status("");
  shown_ = false;
}

}  // namespace diffusion
