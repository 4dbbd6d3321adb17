// The wire of MPI, as a module that is loaded only where a program was started by it (processes.h): a program
// that works alone links no MPI. It is built once for each MPI that is there.

#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#include "exchange/wire.h"

namespace diffusion {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostBytes = std::size_t(1) << 30;  // of one message; MPI counts in int

// Looks often at first and then rarely, so that a process that waits long takes nobody's time.
class Patience {
 public:
  void wait() {
    constexpr auto kBusy = std::chrono::microseconds(50);
    if (Clock::now() - began_ < kBusy) return;
    std::this_thread::sleep_for(pause_);
    pause_ = std::min(pause_ * 5 / 4, std::chrono::nanoseconds(std::chrono::milliseconds(1)));
  }

 private:
  Clock::time_point began_ = Clock::now();
  std::chrono::nanoseconds pause_ = std::chrono::microseconds(10);
};

class MpiWire final : public Wire {
 public:
  explicit MpiWire(double seconds)
      : limit_(std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds))) {
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  std::optional<int> carry(std::span<const Send> sends, std::span<const Receive> receives) override {
    std::vector<MPI_Request> requests;
    std::vector<int> peers;
    const auto in_pieces = [&](int peer, std::size_t bytes, const auto& start) {
      for (std::size_t begin = 0; begin < bytes; begin += kMostBytes) {
        MPI_Request request = MPI_REQUEST_NULL;
        const bool started = start(begin, int(std::min(bytes - begin, kMostBytes)), &request) == MPI_SUCCESS;
        if (!started) return false;
        requests.push_back(request);
        peers.push_back(peer);
      }
      return true;
    };
    for (const Receive& r : receives)
      if (!in_pieces(r.from, r.bytes.size(), [&](std::size_t begin, int count, MPI_Request* request) {
            return MPI_Irecv(r.bytes.data() + begin, count, MPI_BYTE, r.from, 0, MPI_COMM_WORLD, request);
          }))
        return r.from;
    for (const Send& s : sends)
      if (!in_pieces(s.to, s.bytes.size(), [&](std::size_t begin, int count, MPI_Request* request) {
            return MPI_Isend(s.bytes.data() + begin, count, MPI_BYTE, s.to, 0, MPI_COMM_WORLD, request);
          }))
        return s.to;
    return wait_for(requests, peers);
  }

  void close() override { MPI_Finalize(); }

 private:
  // MPI's own calls wait for ever for a process that stands still.
  std::optional<int> wait_for(std::vector<MPI_Request>& requests, const std::vector<int>& peers) const {
    std::vector<int> done(requests.size());
    std::size_t left = requests.size();
    Patience patience;
    for (Clock::time_point last = Clock::now(); left > 0;) {
      int count = 0;
      const int error =
          MPI_Testsome(int(requests.size()), requests.data(), &count, done.data(), MPI_STATUSES_IGNORE);
      if (error == MPI_SUCCESS && count > 0) {
        left -= std::size_t(count);
        last = Clock::now();
        continue;
      }
      if (error != MPI_SUCCESS || Clock::now() - last > limit_) {
        const auto open = std::ranges::find_if(requests, [](MPI_Request r) { return r != MPI_REQUEST_NULL; });
        return open == requests.end() ? peers.front() : peers[std::size_t(open - requests.begin())];
      }
      patience.wait();
    }
    return std::nullopt;
  }

  Clock::duration limit_;
  int rank_ = 0, size_ = 1;
};

}  // namespace

}  // namespace diffusion

// A wire that waits so long for others; nullptr if MPI cannot begin. The caller deletes it.
extern "C" __attribute__((visibility("default"))) diffusion::Wire* diffusion_open_wire(double seconds) {
  int given = 0;
  if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &given) != MPI_SUCCESS) return nullptr;
  return new diffusion::MpiWire(seconds);
}

// Ends all processes.
extern "C" __attribute__((visibility("default"))) void diffusion_end_all(int code) {
  int ended = 0;
  MPI_Finalized(&ended);
  if (!ended) MPI_Abort(MPI_COMM_WORLD, code);
}
