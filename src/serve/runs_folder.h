#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "formats/json.h"

namespace diffusion::serve {

// The trainings in a folder, each a folder with log.jsonl, by the names of their folders. They may go on
// meanwhile. One thread at a time.
class RunsFolder {
 public:
  // Error(io) if it is no folder that can be read.
  explicit RunsFolder(std::filesystem::path folder);

  std::vector<std::string> names() const;  // sorted; those that are UTF-8

  // What the run says, none if there is none of that name: name, steps, loss (the mean of the last 4%),
  // learning_rate, seconds, idle_seconds since the last line, outlook, curve and held_out for drawing,
  // previews (steps), command, error. A log that cannot be read says so in `error` and has no numbers. A log
  // that has not changed is not read again.
  std::optional<Json::Object> details(const std::string& name);

  // The PNG that the run saved at that step.
  std::optional<std::string> preview(const std::string& name, std::int64_t step) const;

 private:
  struct Read {
    std::uintmax_t size;
    std::filesystem::file_time_type time;
    Json::Object log;
  };

  bool has(const std::string& name) const;

  std::filesystem::path folder_;
  std::map<std::string, Read> read_;
};

}  // namespace diffusion::serve
