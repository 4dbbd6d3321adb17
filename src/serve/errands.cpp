#include "serve/errands.h"

#include <utility>

namespace diffusion::serve {

Errands::Errands() : thread_([this] { run(); }) {}

Errands::~Errands() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Errands::add(std::function<void()> errand) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(errand));
  }
  changed_.notify_all();
}

void Errands::run() {
  while (true) {
    std::function<void()> errand;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      errand = std::move(waiting_.front());
      waiting_.pop_front();
    }
    errand();
  }
}

}  // namespace diffusion::serve
