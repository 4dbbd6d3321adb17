#include "serve/job_store.h"

#include <fmt/format.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <utility>

namespace diffusion::serve {

namespace {

constexpr std::size_t kRememberedIds = 10'000;

}  // namespace

std::string JobStore::add() {
  std::array<unsigned char, 16> random{};
  if (RAND_bytes(random.data(), int(random.size())) != 1)
    throw Error(ErrorKind::internal, "the system has no random numbers for the id of a job");
  std::string id;
  for (const unsigned char byte : random) id += fmt::format("{:02x}", byte);
  entries_[id];
  return id;
}

JobStore::Entry* JobStore::find(const std::string& id) {
  forget_old();
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : &found->second;
}

bool JobStore::was_here(const std::string& id) const {
  return std::ranges::find(gone_, id) != gone_.end();
}

void JobStore::tell(const std::string& id, std::string event, HttpExchange::Part part, bool keep) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  std::erase_if(entry.listeners, [](const auto& listener) { return listener->gone(); });
  for (const auto& listener : entry.listeners) listener->send(event, part);
  if (!keep) return;
  entry.bytes += event.size();
  bytes_ += event.size();
  entry.events.push_back(std::move(event));
}

void JobStore::listen(Entry& entry, const std::shared_ptr<HttpExchange>& exchange) {
  exchange->begin_stream(
      {200, "text/event-stream", ": events of a job\n\n", {{"Cache-Control", "no-store"}}});
  for (const std::string& event : entry.events) exchange->send(event);
  if (entry.ended)
    exchange->end_stream();
  else
    entry.listeners.push_back(exchange);
}

void JobStore::finish(const std::string& id, std::string event, std::vector<std::string> pictures) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  tell(id, std::move(event), HttpExchange::Part::needed, true);
  Entry& entry = found->second;
  for (const auto& listener : entry.listeners) listener->end_stream();
  entry.listeners.clear();
  for (const std::string& picture : pictures) {
    entry.bytes += picture.size();
    bytes_ += picture.size();
  }
  entry.pictures = std::move(pictures);
  entry.ended = std::chrono::steady_clock::now();
  forget_old();
}

void JobStore::remove(const std::string& id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  bytes_ -= found->second.bytes;
  for (const auto& listener : found->second.listeners) listener->end_stream();
  entries_.erase(found);
  if (gone_.size() == kRememberedIds) gone_.erase(gone_.begin());
  gone_.push_back(id);
}

void JobStore::forget_old() {
  const auto now = std::chrono::steady_clock::now();
  while (true) {
    const std::string* oldest = nullptr;
    const Entry* entry = nullptr;
    for (const auto& [id, candidate] : entries_)
      if (candidate.ended && (!entry || *candidate.ended < *entry->ended)) {
        oldest = &id;
        entry = &candidate;
      }
    if (!entry || (now - *entry->ended < limits_.time && bytes_ <= limits_.bytes)) return;
    remove(std::string(*oldest));
  }
}

}  // namespace diffusion::serve
