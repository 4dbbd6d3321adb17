#include "serve/server.h"

#include <fmt/format.h>

#include <thread>
#include <utility>

#include <diffusion/error.h>
#include "base/log.h"
#include "serve/api.h"
#include "serve/page_files.h"

namespace diffusion::serve {

namespace {

GuardOptions guard_options(const ServeOptions& options) {
  if (!is_loopback(options.address) && options.guard.api_keys.empty())
    throw Error(
        ErrorKind::usage,
        fmt::format("the address {} can be reached by others, so API keys are needed; accepted without "
                    "are 127.0.0.1 and ::1",
                    options.address),
        {"api_key_file"});
  GuardOptions guard = options.guard;
  guard.listen_address = options.address;
  guard.header_bytes = options.http.header_bytes;
  return guard;
}

// Nothing but what this server has, and no code in the page itself.
constexpr const char* kPagePolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

HttpAnswer page_answer(const PageFile& file) {
  return {200,
          std::string(file.content_type),
          std::string(file.content),
          {{"Content-Security-Policy", kPagePolicy},
           {"Referrer-Policy", "no-referrer"},
           {"Cache-Control", "no-cache"}}};
}

}  // namespace

Server::Server(std::map<std::string, std::shared_ptr<const Model>> models,
               std::shared_ptr<const Device> device, const ServeOptions& options)
    : options_(options),
      guard_(guard_options(options)),
      jobs_(options.keep),
      http_(options.address, options.port, options.http, [this](const auto& exchange) { handle(exchange); }),
      engine_(std::move(models), std::move(device), options.engine),
      runs_(options.runs.empty() ? std::nullopt : std::optional<RunsFolder>(options.runs)),
      services_{engine_,
                jobs_,
                options_,
                draining_,
                [this](std::function<void()> task) { http_.post(std::move(task)); },
                errands_,
                runs_ ? &*runs_ : nullptr} {}

void Server::handle(const std::shared_ptr<HttpExchange>& exchange) {
  const HttpRequest& request = exchange->request();
  const std::string& path = request.path;
  const PageFile* page = find_page_file(path);
  try {
    guard_.check(request, page != nullptr);
    if (page) {
      require_method(request, "GET");
      return exchange->answer(page_answer(*page));
    }
    if (path == "/health" || path == "/metrics") return answer_status(services_, exchange);
    if (path.starts_with("/diffusion/v1/")) return answer_own(services_, exchange);
    if (path.starts_with("/v1/")) return answer_openai(services_, exchange);
    if (path.starts_with("/sdapi/v1/")) return answer_webui(services_, exchange);
    throw ApiError(404, fmt::format("there is no {} here", path));
  } catch (const ApiError& error) {
    exchange->answer(error_answer(form_of(path), error));
  } catch (const std::exception& error) {
    stderr_log().line(fmt::format("{} {}: {}", request.method, path, error.what()));
    exchange->answer(error_answer(form_of(path), {500, "the server failed; its log says more"}));
  }
}

void Server::drain(std::chrono::milliseconds most) {
  const auto end = std::chrono::steady_clock::now() + most;
  draining_ = true;
  http_.stop_accepting();
  while (std::chrono::steady_clock::now() < end) {
    const EngineCounts counts = engine_.counts();
    if (counts.waiting + counts.running + http_.load().busy == 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

}  // namespace diffusion::serve
