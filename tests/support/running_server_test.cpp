#include "support/running_server.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <vector>

#include <diffusion/generate.h>
#include <diffusion/picture_files.h>
#include "cli_program.h"
#include "serve/base64.h"

namespace diffusion::testing {

using namespace std::chrono_literals;

serve::ServeOptions quick_options() {
  serve::ServeOptions options;
  options.port = 0;
  options.engine.threads = 1;
  options.engine.most_rows = 8;
  options.metrics = true;
  return options;
}

RunningServer::RunningServer(const serve::ServeOptions& options)
    : model_(std::make_shared<const Model>(cli::tiny_model())),
      plain_(std::make_shared<const Model>(cli::tiny_model({.channels = 3, .guidance = false, .seed = 9}))),
      device_(make_cpu_device(Precision::f32)),
      server_({{"a", model_}, {"b", plain_}}, device_, options),
      thread_([this] { server_.run(); }) {}

RunningServer::~RunningServer() {
  server_.stop();
  thread_.join();
}

HttpReply RunningServer::get(const std::string& path) const {
  return HttpClient(port()).request("GET", path);
}

HttpReply RunningServer::post(const std::string& path, const std::string& body,
                              const HttpClient::Headers& headers) const {
  return HttpClient(port()).request("POST", path, body, headers);
}

Json RunningServer::json(const HttpReply& reply, int status) const {
  EXPECT_EQ(reply.status, status) << reply.body;
  return parse_json(reply.body, "the answer");
}

std::string RunningServer::expected(std::uint64_t seed, int label, const std::string& sampler, int steps,
                                    double guidance) const {
  GenerateOptions options{.count = 1, .seed = seed, .label = label};
  options.recipe = with_sampler(scheduler_recipe(*model_), find_sampler(sampler), *model_);
  options.recipe->steps = steps;
  options.recipe->guidance.scale = guidance;
  return serve::to_base64(encode_png(generate(*model_, *device_, options).front()));
}

Json RunningServer::wait(const std::string& id) const {
  for (int k = 0; k < 3000; ++k) {
    const Json status = json(get("/diffusion/v1/jobs/" + id));
    const std::string& state = text_at(status, "state");
    if (state != "queued" && state != "running") return status;
    std::this_thread::sleep_for(10ms);
  }
  throw std::runtime_error("the job does not end");
}

void wait_until(const std::function<bool()>& holds) {
  for (int k = 0; k < 30'000 && !holds(); ++k) std::this_thread::sleep_for(1ms);
  ASSERT_TRUE(holds());
}

const Json& at(const Json& json, std::string_view key) {
  return member(json, key, "the answer");
}

const std::string& text_at(const Json& json, std::string_view key) {
  return to_string(at(json, key), key);
}

const Json& first_of(const Json& json, std::string_view key) {
  return to_array(at(json, key), key).front();
}

Image small_picture() {
  Image image{8, 8, 1, std::vector<std::uint8_t>(64)};
  for (std::size_t k = 0; k < 64; ++k) image.pixels[k] = std::uint8_t(4 * k);
  return image;
}

}  // namespace diffusion::testing
