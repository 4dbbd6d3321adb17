#pragma once

// What somebody asked the engine for, and what has become of it.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <diffusion/edit.h>
#include <diffusion/image.h>

namespace diffusion::serve {

struct JobRequest {
  std::string model;            // a name that the engine has
  std::vector<Image> pictures;  // to be edited; empty: pictures are made from noise
  EditOptions options;          // without pictures only `sampling` says something
  // The images are frames on the way from the seed's noise to that of this one, as interpolate() makes them.
  std::optional<std::uint64_t> to_seed = {};
  std::string more_options = {};  // of the command that makes them again: " --eta 0.5"
  int previews = 0;  // states of each image that are shown on the way, evenly spaced over its steps
};

enum class JobState { waiting, running, done, failed, cancelled };
const char* to_string(JobState state);

struct JobProgress {
  JobState state = JobState::waiting;
  int steps_done = 0, steps = 0;  // of all images
  int images_done = 0, images = 0;
  std::optional<double> seconds_left;  // about, while it runs
  std::string error;                   // of a failed one

  bool finished() const { return state > JobState::running; }
};

// A step of an image is done, perhaps with its state as a picture, or the whole job is finished.
struct JobEvent {
  int image = 0;
  int step = 0, steps = 0;         // steps done, of that image
  const Image* preview = nullptr;  // dies with the call
  bool finished = false;           // the last event: done, failed or cancelled
};

// Shared by who asked and the engine.
class Job {
 public:
  // `listen` is called on the engine's thread, in order, and may be empty.
  using Listener = std::function<void(const Job& job, const JobEvent& event)>;
  Job(JobRequest request, Listener listen);

  const JobRequest& request() const { return request_; }

  // Any thread: its rows are out of the evaluation after the one that is under way.
  void cancel() { cancelled_ = true; }
  bool is_cancelled() const { return cancelled_; }

  JobProgress progress() const;
  std::vector<Image> images() const;  // of a job that is done; else empty

  // For the engine's thread.
  void start(int steps);
  void step_done(const JobEvent& event);
  void image_done(int index, Image image);
  void finish(JobState state, const std::string& error = {});

 private:
  using Clock = std::chrono::steady_clock;

  const JobRequest request_;
  const Listener listen_;
  std::atomic<bool> cancelled_ = false;
  mutable std::mutex mutex_;  // guards what follows
  JobProgress progress_;
  Clock::time_point started_;
  std::vector<Image> images_;
};

}  // namespace diffusion::serve
