#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "base/log.h"

namespace diffusion {

// How far a long job is, how fast, and when it will be done:
//   sample  37%  24/64 images  8.1 images/s  ETA 0:05  step 12/50
// On a terminal one status line, renewed at most ten times a second; elsewhere a plain line every ten
// seconds. Rate and ETA come from the last half minute, so they follow a machine that becomes slower; the
// first update is where they start from, so a job may go on where an earlier one stopped. Not thread-safe.
class Progress {
 public:
  using Clock = std::function<double()>;  // seconds that never run backwards

  // `total` is how many `unit`s the job has, 0 if nobody knows. A quiet one says nothing.
  Progress(std::string title, std::int64_t total, bool quiet, std::string unit = "");
  Progress(std::string title, std::int64_t total, bool quiet, std::string unit, Log& log, Clock clock);
  ~Progress();  // as finish()
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // How many units are done.
  void update(std::int64_t done, std::string_view note = {});
  // Which share of the job is done, 0 to 1: for jobs limited by time, or with parts of a unit.
  void update(double fraction, std::string_view note = {});

  // Removes the status line. Call it before printing results.
  void finish();

 private:
  struct Sample {
    double seconds, done, fraction;
  };

  void update(const Sample& now, std::string_view note);
  std::string text(const Sample& now, std::string_view note) const;

  std::string title_, unit_;
  std::int64_t total_;
  bool quiet_;
  Log& log_;
  Clock clock_;
  double last_shown_;
  bool shown_ = false;
  std::deque<Sample> samples_;
};

// "0:07", "12:34", "3:00:00", "2d 03:00:00"; seconds are rounded.
std::string format_duration(double seconds);

}  // namespace diffusion
