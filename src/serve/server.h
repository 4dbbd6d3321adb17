#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <diffusion/device.h>
#include "serve/engine.h"
#include "serve/guard.h"
#include "serve/http.h"
#include "serve/job_store.h"
#include "serve/services.h"

namespace diffusion::serve {

// The server as a whole: engine, interfaces and page. GuardOptions::listen_address and header_bytes are taken
// from the rest.
class Server {
 public:
  // Measures the models and listens. Error(usage) for an address that others reach without API keys,
  // Error(io) if it cannot listen, or if the folder of runs is none.
  Server(std::map<std::string, std::shared_ptr<const Model>> models, std::shared_ptr<const Device> device,
         const ServeOptions& options);

  int port() const { return http_.port(); }
  const Engine& engine() const { return engine_; }

  // Serves until stop(), on the calling thread.
  void run() { http_.run(); }

  // Any other thread: takes no more connections and no new jobs, and returns when all is answered, or after
  // `most`.
  void drain(std::chrono::milliseconds most);
  void stop() { http_.stop(); }

 private:
  void handle(const std::shared_ptr<HttpExchange>& exchange);

  const ServeOptions options_;
  const Guard guard_;
  JobStore jobs_;
  std::atomic<bool> draining_ = false;
  HttpServer http_;
  Engine engine_;
  std::optional<RunsFolder> runs_;
  Services services_;
  Errands errands_;  // ends first, as it uses the others
};

}  // namespace diffusion::serve
