#pragma once

// The jobs that clients may ask for by id, while they are made and for a while after.

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <diffusion/error.h>
#include "serve/engine.h"
#include "serve/http.h"

namespace diffusion::serve {

struct KeepLimits {
  std::chrono::seconds time{600};              // after the end of a job
  std::size_t bytes = std::size_t(256) << 20;  // of all that is kept; the oldest goes first
};

// For the thread of the HTTP loop alone.
class JobStore {
 public:
  explicit JobStore(const KeepLimits& limits) : limits_(limits) {}

  // A new id, 128 random bits in hexadecimal.
  std::string add();
  struct Entry {
    std::shared_ptr<Job> job;
    std::vector<std::string> commands;  // of each image
    std::vector<std::string> events;    // so far, for those who come later: text of server-sent events
    std::vector<std::shared_ptr<HttpExchange>> listeners;
    std::vector<std::string> pictures;  // PNG; once it is done
    std::optional<std::chrono::steady_clock::time_point> ended;
    std::size_t bytes = 0;
  };
  Entry* find(const std::string& id);          // null: not here
  bool was_here(const std::string& id) const;  // and is not any more

  // For all listeners; `keep` for those that come later, too.
  void tell(const std::string& id, std::string event, HttpExchange::Part part, bool keep);
  void listen(Entry& entry, const std::shared_ptr<HttpExchange>& exchange);
  // The last event; pictures are PNG.
  void finish(const std::string& id, std::string event, std::vector<std::string> pictures);
  void remove(const std::string& id);
  void forget_old();

  std::size_t bytes() const { return bytes_; }

 private:
  KeepLimits limits_;
  std::map<std::string, Entry> entries_;
  std::vector<std::string> gone_;  // the last that were forgotten
  std::size_t bytes_ = 0;
};

}  // namespace diffusion::serve
