#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <diffusion/error.h>
#include <diffusion/models.h>
#include "base/log.h"
#include "cli/commands/commands.h"
#include "cli/options/options.h"
#include "cli/options/stop_signal.h"
#include "files/fs.h"
#include "serve/server.h"

namespace diffusion {

namespace {

struct ServeCommand {
  std::vector<std::string> models{"fashion-mnist"};
  std::string listen = "127.0.0.1:8765", key_file;
  int request_seconds = 30, keep_seconds = 600, grace_seconds = 30;
  serve::ServeOptions options;
  MachineOptions machine;
};

void parse_listen(const std::string& listen, serve::ServeOptions& options) {
  const std::size_t colon = listen.rfind(':');
  std::string address = listen.substr(0, colon);
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  int port = -1;
  if (colon != std::string::npos) {
    const char* end = listen.data() + listen.size();
    const auto [stop, error] = std::from_chars(listen.data() + colon + 1, end, port);
    if (error != std::errc() || stop != end) port = -1;
  }
  if (address.empty() || port < 0 || port > 65535)
    throw Error(
        ErrorKind::usage,
        fmt::format("--listen is \"{}\"; accepted are ADDRESS:PORT, such as 127.0.0.1:8765 or [::1]:8765 "
                    "(port 0: any that is free)",
                    listen));
  options.address = address == "localhost" ? "127.0.0.1" : address;
  options.port = port;
}

// A key a line; blank lines and those that begin with # are none.
std::vector<std::string> read_keys(const std::string& path) {
  constexpr std::size_t kLeastLength = 16;
  std::vector<std::string> keys;
  std::istringstream lines(read_text_file(path, 1 << 20));
  for (std::string line; std::getline(lines, line);) {
    while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back()))) line.pop_back();
    if (line.empty() || line.starts_with('#')) continue;
    if (line.size() < kLeastLength)
      throw Error(ErrorKind::bad_input, fmt::format("{} has a key of {} characters; accepted are {} or more",
                                                    path, line.size(), kLeastLength));
    keys.push_back(line);
  }
  if (keys.empty())
    throw Error(ErrorKind::bad_input, fmt::format("{} has no keys; one a line is accepted", path));
  return keys;
}

// By the last part of what each is called.
std::map<std::string, std::shared_ptr<const Model>> read_models(const std::vector<std::string>& given) {
  std::map<std::string, std::shared_ptr<const Model>> models;
  for (const std::string& text : given) {
    const std::filesystem::path path(text);
    const std::string name = (path.has_filename() ? path : path.parent_path()).filename().string();
    if (!models.emplace(name, read_model(text)).second)
      throw Error(ErrorKind::usage,
                  fmt::format("two models are called {}; accepted are different names", name));
  }
  return models;
}

int serve_models(const ServeCommand& given) {
  serve::ServeOptions options = given.options;
  parse_listen(given.listen, options);
  options.http.request_time = std::chrono::seconds(given.request_seconds);
  options.keep.time = std::chrono::seconds(given.keep_seconds);
  options.engine.threads = given.machine.threads;
  options.precision = given.machine.precision;
  if (!given.key_file.empty()) options.guard.api_keys = read_keys(given.key_file);
  auto models = read_models(given.models);
  const std::shared_ptr<const Device> device = make_device(given.machine);
  serve::Server server(std::move(models), device, options);
  const std::atomic<bool>& stop = stop_on_signal();
  const bool brackets = options.address.find(':') != std::string::npos;
  print_line(fmt::format("listening on http://{}{}{}:{}/", brackets ? "[" : "", options.address,
                         brackets ? "]" : "", server.port()));
  std::fflush(stdout);

  std::thread loop([&] { server.run(); });
  while (!stop) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  stderr_log().line(
      fmt::format("no new work; waiting for what is under way, {} s at most", given.grace_seconds));
  server.drain(std::chrono::seconds(given.grace_seconds));
  server.stop();
  loop.join();
  return 0;
}

void add_limits(CLI::App& app, ServeCommand& o) {
  constexpr const char* kGroup = "Limits";
  constexpr std::int64_t kMost = std::numeric_limits<int>::max();
  const auto add = [&](const char* name, auto& value, std::int64_t least, const char* help) {
    app.add_option(name, value, help)
        ->check(in_range(least, kMost))
        ->type_name("N")
        ->capture_default_str()
        ->group(kGroup);
  };
  add("--max-header-bytes", o.options.http.header_bytes, 256, "Of a request; more is answered 431");
  add("--max-body-bytes", o.options.http.body_bytes, 1, "Of a request; more is answered 413");
  add("--request-seconds", o.request_seconds, 1,
      "For a request to arrive whole, and for its answer to be read");
  add("--max-connections", o.options.http.connections, 1,
      "One more takes the place of the one idle for longest");
  add("--max-upload-pixels", o.options.limits.upload_pixels, 1, "Of a picture that is sent");
  add("--max-images", o.options.limits.images, 1, "Of a job");
  add("--max-steps", o.options.limits.steps, 1, "Of a job");
  add("--max-jobs", o.options.engine.running, 1, "Evaluated together");
  add("--max-waiting", o.options.engine.waiting, 1, "Jobs that wait for these; one more is answered 429");
  add("--max-rows", o.options.engine.most_rows, 1, "Of an evaluation, which takes 50 ms at most besides");
  add("--keep-seconds", o.keep_seconds, 0, "How long results can be asked for; later is answered 410");
  add("--keep-bytes", o.options.keep.bytes, 0, "Of all results together; the oldest goes first");
  add("--grace-seconds", o.grace_seconds, 0, "After SIGTERM, for what is under way");
}

}  // namespace

std::function<int()> add_serve(CLI::App& app) {
  const auto o = std::make_shared<ServeCommand>();
  app.add_option("MODEL", o->models, "Models, as 'diffusion sample' takes them (default: fashion-mnist)")
      ->type_name("");
  app.add_option("--listen", o->listen, "Where to listen; other addresses than this machine's own need keys")
      ->type_name("ADDRESS:PORT")
      ->capture_default_str();
  app.add_option("--api-key-file", o->key_file,
                 "Keys of 16 characters or more, one a line, of which requests need one")
      ->type_name("FILE");
  app.add_option("--allow-host", o->options.guard.hosts,
                 "A name by which the server is called besides localhost")
      ->type_name("NAME");
  app.add_option("--runs", o->options.runs, "A folder with training runs, which the page shows")
      ->type_name("DIR");
  app.add_flag("--metrics", o->options.metrics, "Answer /metrics in Prometheus' form");
  add_limits(app, *o);
  add_machine_options(app, o->machine);
  app.footer(
      "For OpenAI's and Automatic1111's clients, with a page of its own: docs/serving.md.\n"
      "SIGTERM: no new work, and the end when all is answered.");
  return [o] { return serve_models(*o); };
}

}  // namespace diffusion
