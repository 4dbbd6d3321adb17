#pragma once

// A server that runs while a test does, and what tests look up in its answers.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include <diffusion/device.h>
#include <diffusion/image.h>
#include "diffusion/model.h"
#include "formats/json.h"
#include "serve/server.h"
#include "support/http_client.h"

namespace diffusion::testing {

// Any free port, one thread, at most 8 rows, with metrics.
serve::ServeOptions quick_options();

// Of two tiny models, "a" with four classes and guidance, and "b".
class RunningServer {
 public:
  explicit RunningServer(const serve::ServeOptions& options = quick_options());
  ~RunningServer();

  const Model& model() const { return *model_; }
  const Device& device() const { return *device_; }
  int port() const { return server_.port(); }
  serve::Server& server() { return server_; }

  HttpReply get(const std::string& path) const;
  HttpReply post(const std::string& path, const std::string& body,
                 const HttpClient::Headers& headers = {}) const;
  Json json(const HttpReply& reply, int status = 200) const;

  // What generate() makes of the model "a", as PNG in base64.
  std::string expected(std::uint64_t seed, int label, const std::string& sampler, int steps,
                       double guidance = 1) const;

  // The status of a job of the own interface, when it has ended.
  Json wait(const std::string& id) const;

 private:
  std::shared_ptr<const Model> model_, plain_;
  std::shared_ptr<const Device> device_;
  serve::Server server_;
  std::thread thread_;
};

// Until it holds; fails the test after half a minute.
void wait_until(const std::function<bool()>& holds);

const Json& at(const Json& json, std::string_view key);
const std::string& text_at(const Json& json, std::string_view key);
const Json& first_of(const Json& json, std::string_view key);

Image small_picture();  // 8 x 8, gray

}  // namespace diffusion::testing
