#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace diffusion::serve {

// A thread for what takes longer than the HTTP loop may wait, such as reading files: one after another, in
// the order in which they came. Errands must not throw.
class Errands {
 public:
  Errands();
  Errands(const Errands&) = delete;
  Errands& operator=(const Errands&) = delete;
  ~Errands();  // finishes the one under way; the others are forgotten

  void add(std::function<void()> errand);  // any thread

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;  // guarded by mutex_, as is the next
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace diffusion::serve
