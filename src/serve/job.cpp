#include "serve/job.h"

#include <utility>

namespace diffusion::serve {

const char* to_string(JobState state) {
  switch (state) {
    case JobState::waiting:
      return "queued";
    case JobState::running:
      return "running";
    case JobState::done:
      return "done";
    case JobState::failed:
      return "failed";
    case JobState::cancelled:
      return "cancelled";
  }
  return "";
}

Job::Job(JobRequest request, Listener listen) : request_(std::move(request)), listen_(std::move(listen)) {
  progress_.images = request_.options.sampling.count;
  images_.resize(std::size_t(progress_.images));
}

JobProgress Job::progress() const {
  const std::lock_guard lock(mutex_);
  JobProgress progress = progress_;
  if (progress.state == JobState::running && progress.steps_done > 0) {
    const std::chrono::duration<double> elapsed = Clock::now() - started_;
    progress.seconds_left = elapsed.count() / progress.steps_done * (progress.steps - progress.steps_done);
  }
  return progress;
}

std::vector<Image> Job::images() const {
  const std::lock_guard lock(mutex_);
  return progress_.state == JobState::done ? images_ : std::vector<Image>();
}

void Job::start(int steps) {
  const std::lock_guard lock(mutex_);
  progress_.state = JobState::running;
  progress_.steps = steps;
  started_ = Clock::now();
}

void Job::step_done(const JobEvent& event) {
  {
    const std::lock_guard lock(mutex_);
    ++progress_.steps_done;
  }
  if (listen_) listen_(*this, event);
}

void Job::image_done(int index, Image image) {
  const std::lock_guard lock(mutex_);
  images_[std::size_t(index)] = std::move(image);
  ++progress_.images_done;
}

void Job::finish(JobState state, const std::string& error) {
  {
    const std::lock_guard lock(mutex_);
    progress_.state = state;
    progress_.error = error;
    if (state != JobState::done) images_.clear();
  }
  if (listen_) listen_(*this, {.finished = true});
}

}  // namespace diffusion::serve
