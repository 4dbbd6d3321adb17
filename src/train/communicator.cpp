#include "train/communicator.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>

#include <diffusion/error.h>
#include "base/pair_sums.h"
#include "device/host_numbers.h"

namespace diffusion {

namespace {

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown host";
}

// Ranges of a block that come from others.
class Arrivals {
 public:
  Arrivals(Queue& queue, const Tensor& block) : queue_(queue), block_(block) {}

  void expect(int from, const ParamRange& range) {
    ranges_.push_back(range);
    numbers_.emplace_back(range.size());
    receives_.push_back({from, std::as_writable_bytes(std::span(numbers_.back()))});
  }
  std::span<const Wire::Receive> receives() const { return receives_; }
  void store() const {
    for (std::size_t k = 0; k < ranges_.size(); ++k)
      if (ranges_[k].size() > 0) queue_.write(part_of(block_, ranges_[k]), numbers_[k]);
  }

 private:
  Queue& queue_;
  const Tensor& block_;
  std::vector<ParamRange> ranges_;
  std::vector<std::vector<float>> numbers_;
  std::vector<Wire::Receive> receives_;
};

}  // namespace

Communicator::Communicator(std::shared_ptr<Wire> wire) : wire_(std::move(wire)) {
  if (wire_) hosts_ = gather(host_name());
}

std::string Communicator::name(int rank) const {
  const std::string host = hosts_.empty() ? "" : fmt::format(" ({})", hosts_[std::size_t(rank)]);
  return fmt::format("process {} of {}{}", rank, size(), host);
}

SliceRange Communicator::share_of(int slices, int rank) const {
  const auto begin = [&](int r) { return int(std::int64_t(r) * slices / size()); };
  return {begin(rank), begin(rank + 1) - begin(rank)};
}

void Communicator::carry(std::span<const Wire::Send> sends, std::span<const Wire::Receive> receives) const {
  const std::optional<int> silent = wire_->carry(sends, receives);
  if (!silent) return;
  throw Error(ErrorKind::io, fmt::format("{} does not answer, {} gives up; the last checkpoint is kept",
                                         name(*silent), name(rank())));
}

// Bruck et al. 1997: what a process knows of doubles in every round.
std::vector<std::byte> Communicator::gather_bytes(std::span<const std::byte> mine) const {
  const std::size_t block = mine.size(), count = std::size_t(size()), me = std::size_t(rank());
  std::vector<std::byte> known(mine.begin(), mine.end());  // of me, me + 1, ... around the circle
  while (known.size() < block * count) {
    const std::size_t distance = known.size() / std::max<std::size_t>(block, 1);
    const std::size_t more = std::min(known.size(), block * count - known.size());
    std::vector<std::byte> next(more);
    const Wire::Send send{int((me + count - distance) % count), std::span(known).first(more)};
    const Wire::Receive receive{int((me + distance) % count), next};
    carry(std::span(&send, 1), std::span(&receive, 1));
    known.insert(known.end(), next.begin(), next.end());
  }
  std::ranges::rotate(known, known.end() - std::ptrdiff_t(block * me));
  return known;
}

std::vector<double> Communicator::gather(std::span<const double> mine) const {
  if (!wire_) return {mine.begin(), mine.end()};
  const std::vector<std::byte> bytes = gather_bytes(std::as_bytes(mine));
  std::vector<double> all(bytes.size() / sizeof(double));
  if (!all.empty()) std::memcpy(all.data(), bytes.data(), bytes.size());
  return all;
}

std::vector<std::string> Communicator::gather(const std::string& mine) const {
  if (!wire_) return {mine};
  const double length = double(mine.size());
  const std::vector<double> lengths = gather(std::span(&length, 1));
  std::string padded = mine;
  padded.resize(std::size_t(*std::ranges::max_element(lengths)));
  const std::vector<std::byte> bytes = gather_bytes(std::as_bytes(std::span(padded)));
  std::vector<std::string> all;
  for (std::size_t r = 0; r < lengths.size(); ++r)
    all.emplace_back(reinterpret_cast<const char*>(bytes.data()) + r * padded.size(),
                     std::size_t(lengths[r]));
  return all;
}

std::vector<std::vector<std::byte>> Communicator::give_leader(std::span<const std::byte> mine) const {
  const double length = double(mine.size());
  const std::vector<double> lengths = gather(std::span(&length, 1));
  std::vector<std::vector<std::byte>> given(leads() ? lengths.size() : 0);
  std::vector<Wire::Send> sends;
  std::vector<Wire::Receive> receives;
  if (!leads()) sends.push_back({0, mine});
  for (std::size_t r = 1; r < given.size(); ++r) {
    given[r].resize(std::size_t(lengths[r]));
    receives.push_back({int(r), given[r]});
  }
  if (wire_) carry(sends, receives);
  return given;
}

// A binomial tree: in each round, those who have the bytes send them on.
void Communicator::broadcast(std::span<std::byte> bytes) const {
  if (!wire_) return;
  const unsigned me = unsigned(rank()), count = unsigned(size());
  if (me > 0) {
    const Wire::Receive receive{int(me - std::bit_floor(me)), bytes};
    carry({}, std::span(&receive, 1));
  }
  std::vector<Wire::Send> sends;
  for (unsigned bit = me > 0 ? std::bit_floor(me) * 2 : 1; me + bit < count; bit *= 2)
    sends.push_back({int(me + bit), bytes});
  carry(sends, {});
}

void Communicator::follow_leader() const {
  std::array<std::byte, 1> nothing{};
  broadcast(nothing);
}

void Communicator::add_over_slices(int slices, Queue& queue, std::span<const Tensor> nodes, float factor,
                                   const Tensor& sum, std::span<const ParamRange> owned) const {
  const ParamRange& my_range = owned[std::size_t(rank())];
  std::vector<HostNumbers> mine;
  for (const Tensor& node : nodes) mine.emplace_back(queue, node);
  SliceSums sums(slices, my_range.size());
  std::vector<Wire::Send> sends;
  std::vector<Wire::Receive> receives;
  for (int r = 0; r < size(); ++r) {
    const std::vector<SliceRange> theirs = tree_nodes(share_of(slices, r), slices);
    for (std::size_t k = 0; k < theirs.size(); ++k) {
      const std::span<float> place = sums.place_of(theirs[k]);
      if (r == rank())
        std::ranges::copy(mine[k].span().subspan(my_range.begin, my_range.size()), place.begin());
      else
        receives.push_back({r, std::as_writable_bytes(place)});
    }
    if (r == rank()) continue;
    const ParamRange& range = owned[std::size_t(r)];
    for (const HostNumbers& node : mine)
      sends.push_back({r, std::as_bytes(node.span().subspan(range.begin, range.size()))});
  }
  carry(sends, receives);
  if (my_range.size() == 0) return;
  std::vector<float> own(my_range.size());
  queue.read(part_of(sum, my_range), own);
  add_scaled(sums.total().data(), factor, own.data(), 0, own.size());
  queue.write(part_of(sum, my_range), own);
}

void Communicator::gather_owned(Queue& queue, const Tensor& block, std::span<const ParamRange> owned) const {
  if (!wire_) return;
  const HostNumbers own(queue, part_of(block, owned[std::size_t(rank())]));
  Arrivals arrivals(queue, block);
  std::vector<Wire::Send> sends;
  for (int r = 0; r < size(); ++r) {
    if (r == rank()) continue;
    sends.push_back({r, std::as_bytes(own.span())});
    arrivals.expect(r, owned[std::size_t(r)]);
  }
  carry(sends, arrivals.receives());
  arrivals.store();
}

void Communicator::lead_owned(Queue& queue, const Tensor& block, std::span<const ParamRange> owned) const {
  if (!wire_) return;
  Arrivals arrivals(queue, block);
  if (leads()) {
    for (int r = 1; r < size(); ++r) arrivals.expect(r, owned[std::size_t(r)]);
    carry({}, arrivals.receives());
    return arrivals.store();
  }
  const HostNumbers own(queue, part_of(block, owned[std::size_t(rank())]));
  const Wire::Send send{0, std::as_bytes(own.span())};
  carry(std::span(&send, 1), {});
}

void Communicator::give_owned(Queue& queue, const Tensor& block, std::span<const ParamRange> owned) const {
  if (!wire_) return;
  if (!leads()) {
    Arrivals arrivals(queue, block);
    arrivals.expect(0, owned[std::size_t(rank())]);
    carry({}, arrivals.receives());
    return arrivals.store();
  }
  const HostNumbers all(queue, block);
  std::vector<Wire::Send> sends;
  for (int r = 1; r < size(); ++r)
    sends.push_back(
        {r, std::as_bytes(all.span().subspan(owned[std::size_t(r)].begin, owned[std::size_t(r)].size()))});
  carry(sends, {});
}

void Communicator::close() const {
  if (!wire_) return;
  static_cast<void>(gather(std::string("done")));
  wire_->close();
}

}  // namespace diffusion
