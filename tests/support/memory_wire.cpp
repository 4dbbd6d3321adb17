#include "support/memory_wire.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace diffusion::fixtures {

namespace {

struct Post {
  std::mutex mutex;
  std::condition_variable arrived;
  std::map<std::pair<int, int>, std::deque<std::vector<std::byte>>> letters;  // by from, to
  std::vector<bool> ended;                                                    // by rank
};

class MemoryWire final : public Wire {
 public:
  MemoryWire(std::shared_ptr<Post> post, int rank, int size)
      : post_(std::move(post)), rank_(rank), size_(size) {}

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  std::optional<int> carry(std::span<const Send> sends, std::span<const Receive> receives) override {
    std::unique_lock lock(post_->mutex);
    for (const Send& s : sends) post_->letters[{rank_, s.to}].emplace_back(s.bytes.begin(), s.bytes.end());
    post_->arrived.notify_all();
    for (const Receive& r : receives) {
      auto& box = post_->letters[{r.from, rank_}];
      const auto is_over = [&] { return !box.empty() || post_->ended[std::size_t(r.from)]; };
      if (!post_->arrived.wait_for(lock, std::chrono::seconds(20), is_over) || box.empty()) return r.from;
      if (box.front().size() != r.bytes.size()) throw std::logic_error("a message of another length");
      std::ranges::copy(box.front(), r.bytes.begin());
      box.pop_front();
    }
    return std::nullopt;
  }

  void close() override {}

 private:
  std::shared_ptr<Post> post_;
  int rank_, size_;
};

}  // namespace

void run_together(int size, const std::function<void(std::shared_ptr<Wire> wire)>& work) {
  const auto post = std::make_shared<Post>();
  post->ended.resize(std::size_t(size));
  std::vector<std::exception_ptr> errors(static_cast<std::size_t>(size));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank)
    threads.emplace_back([&, rank] {
      try {
        work(std::make_shared<MemoryWire>(post, rank, size));
      } catch (...) {
        errors[std::size_t(rank)] = std::current_exception();
      }
      const std::lock_guard lock(post->mutex);
      post->ended[std::size_t(rank)] = true;
      post->arrived.notify_all();
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& error : errors)
    if (error) std::rethrow_exception(error);
}

}  // namespace diffusion::fixtures
