#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace diffusion {

// Threads that share work by its pieces: whoever is free takes the next one. So a thread that is put aside,
// or runs on a slow core, holds up one piece, and the others go on.
class Workers {
 public:
  // Each thread calls begin(its number), from 0 to threads - 1, before its first piece. Rethrows what the
  // first of them threw; std::system_error if there cannot be so many.
  Workers(int threads, const std::function<void(int worker)>& begin);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  int count() const { return int(threads_.size()); }

  // Calls work(worker, piece) once for every piece from 0 to pieces - 1, each by one of the threads, taken in
  // this order; returns when all are done. After an exception no further piece begins, and the first one is
  // rethrown. One thread at a time may call this.
  void run(int pieces, const std::function<void(int worker, int piece)>& work);

 private:
  void live(int worker, const std::function<void(int worker)>& begin);
  void end();
  void wait_until_idle(std::unique_lock<std::mutex>& lock);

  std::mutex mutex_;
  std::condition_variable changed_, idle_;
  const std::function<void(int worker, int piece)>* work_ = nullptr;
  int next_ = 0, pieces_ = 0, busy_ = 0;  // pieces from next_ on are free; busy_ threads are at work
  bool ends_ = false;
  std::exception_ptr error_;
  std::vector<std::thread> threads_;
};

}  // namespace diffusion
