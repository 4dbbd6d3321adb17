#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace diffusion {

// Moves bytes between the processes that work on one thing, which are numbered from 0: their rank. Both ends
// know which messages come and how long they are. One thread of a process may use it.
class Wire {
 public:
  struct Send {
    int to;
    std::span<const std::byte> bytes;
  };
  struct Receive {
    int from;
    std::span<std::byte> bytes;
  };

  virtual ~Wire() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;

  // Carries all of them, in any order but that of two messages from one process to another, and returns when
  // they are done. Gives a rank from which nothing came, or to which nothing went, for as long as the wire
  // waits; after that nothing can be carried any more.
  [[nodiscard]] virtual std::optional<int> carry(std::span<const Send> sends,
                                                 std::span<const Receive> receives) = 0;

  // All work is done: waits for the others. A process that ends without it ends all.
  virtual void close() = 0;
};

}  // namespace diffusion
