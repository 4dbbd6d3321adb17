#include "cli/options/options.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdio>

#include <diffusion/error.h>
#include "base/utf8.h"

namespace diffusion {

CLI::Validator in_range(std::int64_t least, std::int64_t most) {
  const std::string accepted = most == std::numeric_limits<std::int64_t>::max()
                                   ? fmt::format("{} or more", least)
                                   : fmt::format("{} to {}", least, most);
  const auto check = [least, most, accepted](const std::string& text) -> std::string {
    std::int64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error == std::errc() && stop == end && value >= least && value <= most) return "";
    return fmt::format("\"{}\" is not accepted; accepted are whole numbers, {}", text, accepted);
  };
  return CLI::Validator(check, "");
}

void add_machine_options(CLI::App& app, MachineOptions& options) {
  app.add_option("--threads", options.threads, "Threads that compute; 0: one for each core")
      ->check(in_range(0, kMaxThreads))
      ->type_name("N")
      ->capture_default_str()
      ->group("Machine");
  app.add_option("--precision", options.precision, "auto, f32 or bf16; auto is the fastest this CPU has")
      ->type_name("P")
      ->capture_default_str()
      ->group("Machine");
}

std::shared_ptr<const Device> make_device(const MachineOptions& options) {
  const Precision precision = parse_precision(options.precision);
  set_threads(options.threads);
  return make_cpu_device(precision);
}

void add_json_flag(CLI::App& app, bool& json) {
  app.add_flag("--json", json, "Print the result as JSON, on one line")->group("Output");
}

void add_quiet_flag(CLI::App& app, bool& quiet) {
  app.add_flag("--quiet", quiet, "No progress on stderr")->group("Output");
}

void print_line(std::string_view line) {
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
}

void print_json(const Json& json) {
  print_line(dump_json(json));
}

Json path_to_json(const std::string& path) {
  if (!is_utf8(path))
    throw Error(ErrorKind::usage,
                "a path is not UTF-8, which JSON cannot hold; rename it or do without --json");
  return path;
}

}  // namespace diffusion
