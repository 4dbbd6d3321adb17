#pragma once

// What the interfaces work with.

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "serve/api.h"
#include "serve/engine.h"
#include "serve/errands.h"
#include "serve/guard.h"
#include "serve/http.h"
#include "serve/job_store.h"
#include "serve/runs_folder.h"
#include "serve/wish.h"

namespace diffusion::serve {

struct ServeOptions {
  std::string address = "127.0.0.1";
  int port = 8765;
  HttpLimits http;
  EngineOptions engine;
  GuardOptions guard;
  WishLimits limits;
  KeepLimits keep;
  std::string precision = "auto";  // of the device, for the commands that are told
  bool metrics = false;
  std::string runs = {};  // a folder with training runs that are shown; empty: none
};

struct Services {
  Engine& engine;
  JobStore& jobs;
  const ServeOptions& options;
  const std::atomic<bool>& draining;
  std::function<void(std::function<void()>)> post;  // to the thread of the HTTP loop
  Errands& errands;
  RunsFolder* runs;  // for errands; null without --runs
  // Of Automatic1111's interface, whose progress and interruption know of one client only.
  std::string webui_model = {};
  std::vector<std::shared_ptr<Job>> webui_jobs = {};
};

using Exchange = std::shared_ptr<HttpExchange>;

// Each answers a request below its prefix, now or later, or throws an ApiError.
void answer_own(Services& services, const Exchange& exchange);     // "/diffusion/v1/"
void answer_openai(Services& services, const Exchange& exchange);  // "/v1/"
void answer_webui(Services& services, const Exchange& exchange);   // "/sdapi/v1/"
void answer_status(Services& services, const Exchange& exchange);  // "/health", "/metrics"

// The model of that name; "": the only one there is, or the first. ApiError 404 naming those there are.
const ServedModel& model_named(const Services& services, const std::string& name);

// Engine::submit, with ApiError 400 for what the model cannot do, 429 and 503.
std::shared_ptr<Job> submit(Services& services, JobRequest request, Job::Listener listen);

// The same for an exchange that waits for it: the job is cancelled if the client leaves. `done` answers it.
std::shared_ptr<Job> submit_for(Services& services, const Exchange& exchange, JobRequest request,
                                const std::function<void(const std::vector<Image>& images)>& done,
                                Job::Listener listen = {});

// ApiError 405 for another method.
void require_method(const HttpRequest& request, std::string_view method);

// PNG, as base64.
std::string png_in_base64(const Image& image);
// Each pixel as often as makes a picture of this size, for clients that want it larger.
Image enlarged(const Image& image, int width, int height);
// "WIDTHxHEIGHT" from a model's size to 4,096; "" and "auto" are the model's. ApiError 400 naming the field.
struct Extent {
  int width, height;
};
Extent parse_size(const std::string& size, const ServedModel& model, const std::string& field);
Extent checked_size(int width, int height, const ServedModel& model, const std::string& field);

}  // namespace diffusion::serve
