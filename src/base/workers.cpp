#include "base/workers.h"

#include <utility>

namespace diffusion {

Workers::Workers(int threads, const std::function<void(int worker)>& begin) : busy_(threads) {
  std::unique_lock lock(mutex_);
  try {
    for (int worker = 0; worker < threads; ++worker)
      threads_.emplace_back([this, worker, begin] { live(worker, begin); });
    wait_until_idle(lock);
  } catch (...) {
    lock.unlock();
    end();
    throw;
  }
}

Workers::~Workers() {
  end();
}

void Workers::end() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Workers::wait_until_idle(std::unique_lock<std::mutex>& lock) {
  idle_.wait(lock, [this] { return busy_ == 0 && next_ >= pieces_; });
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void Workers::run(int pieces, const std::function<void(int worker, int piece)>& work) {
  std::unique_lock lock(mutex_);
  work_ = &work;
  next_ = 0;
  pieces_ = pieces;
  changed_.notify_all();
  wait_until_idle(lock);
}

// busy_ counts this thread while it calls what it was given, without the lock.
void Workers::live(int worker, const std::function<void(int worker)>& begin) {
  std::unique_lock lock(mutex_);
  const auto call = [&](const auto& function) {
    lock.unlock();
    std::exception_ptr error;
    try {
      function();
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    if (error && !error_) error_ = error;
    if (error) next_ = pieces_;
    if (--busy_ == 0 && next_ >= pieces_) idle_.notify_all();
  };
  call([&] { begin(worker); });
  while (true) {
    changed_.wait(lock, [this] { return ends_ || next_ < pieces_; });
    if (ends_) return;
    const int piece = next_++;
    ++busy_;
    call([&] { (*work_)(worker, piece); });
  }
}

}  // namespace diffusion
