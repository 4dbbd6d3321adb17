#pragma once

// Those who train one model together: one process, or several that MPI started. All compute the same bits,
// whatever their number, because a batch is cut into slices by the configuration alone, and gradients are
// added over slices as one binary tree (base/pair_sums.h), whoever computed which slice.

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "device/queue.h"
#include "exchange/wire.h"
#include "train/param_shares.h"
#include "train/slice_sums.h"

namespace diffusion {

// Every call but share_of() is made by all processes, in the same order. Error(io) naming the process and its
// host if one does not answer in time.
class Communicator {
 public:
  Communicator() = default;                           // one process alone
  explicit Communicator(std::shared_ptr<Wire> wire);  // nullptr: alone

  int rank() const { return wire_ ? wire_->rank() : 0; }
  int size() const { return wire_ ? wire_->size() : 1; }
  bool leads() const { return rank() == 0; }
  // "process 2 of 4 (host)", for people.
  std::string name(int rank) const;

  // The slices that a process computes; 0 for some if there are more processes than slices.
  SliceRange share_of(int slices, int rank) const;

  // What each process gave, one after the other by rank; all give equally much.
  std::vector<double> gather(std::span<const double> mine) const;
  // The same of texts of any length.
  std::vector<std::string> gather(const std::string& mine) const;

  // The leader gets what the others give, which may be of different lengths: by rank, its own place empty.
  std::vector<std::vector<std::byte>> give_leader(std::span<const std::byte> mine) const;

  // The leader's bytes, for all.
  void broadcast(std::span<std::byte> bytes) const;
  void broadcast(std::span<float> numbers) const { broadcast(std::as_writable_bytes(numbers)); }
  // The others wait until the leader comes here.
  void follow_leader() const;

  // What follows is of flat blocks of which each process owns a range, owned[rank].

  // `nodes` are the sums over tree_nodes(share_of(slices, rank()), slices). Where it is this process's own,
  // `sum` becomes what it was plus `factor` times the sum over all slices. For several processes.
  void add_over_slices(int slices, Queue& queue, std::span<const Tensor> nodes, float factor,
                       const Tensor& sum, std::span<const ParamRange> owned) const;
  // The owners' numbers, for all; or for the leader alone.
  void gather_owned(Queue& queue, const Tensor& block, std::span<const ParamRange> owned) const;
  void lead_owned(Queue& queue, const Tensor& block, std::span<const ParamRange> owned) const;
  // The leader's numbers, for their owners.
  void give_owned(Queue& queue, const Tensor& block, std::span<const ParamRange> owned) const;

  // All are done.
  void close() const;

 private:
  void carry(std::span<const Wire::Send> sends, std::span<const Wire::Receive> receives) const;
  std::vector<std::byte> gather_bytes(std::span<const std::byte> mine) const;

  std::shared_ptr<Wire> wire_;
  std::vector<std::string> hosts_;  // by rank
};

}  // namespace diffusion
