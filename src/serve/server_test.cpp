#include "serve/server.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include <diffusion/error.h>
#include <diffusion/generate.h>
#include <diffusion/picture_files.h>
#include "files/folders.h"
#include "files/fs.h"
#include "formats/json.h"
#include "serve/base64.h"
#include "serve/page_files.h"
#include "support/http_client.h"
#include "support/running_server.h"
#include "support/scratch.h"

namespace diffusion::serve {
namespace {

using namespace std::chrono_literals;
using namespace testing;

TEST(Server, TellsItsHealthModelsAndMetrics) {
  const RunningServer server;
  EXPECT_EQ(text_at(server.json(server.get("/health")), "status"), "ok");
  EXPECT_EQ(text_at(first_of(server.json(server.get("/v1/models")), "data"), "id"), "a");
  EXPECT_EQ(text_at(server.json(server.get("/v1/models/b")), "id"), "b");
  EXPECT_EQ(server.get("/v1/models/c").status, 404);
  const HttpReply metrics = server.get("/metrics");
  EXPECT_NE(metrics.body.find("\ndiffusion_jobs_waiting 0\n"), std::string::npos) << metrics.body;
  const Json capabilities = server.json(server.get("/diffusion/v1/capabilities"));
  EXPECT_EQ(text_at(first_of(capabilities, "models"), "name"), "a");
  ServeOptions options = quick_options();
  options.metrics = false;
  EXPECT_EQ(RunningServer(options).get("/metrics").status, 404);
}

TEST(Server, RunsJobsWithEvents) {
  const RunningServer server;
  const HttpReply started = server.post(
      "/diffusion/v1/jobs",
      R"({"model":"a","label":"beta","seed":4,"sampler":"ddim","steps":6,"count":2,"previews":3})");
  const Json job = server.json(started, 202);
  const std::string& id = text_at(job, "id");
  EXPECT_EQ(started.header("Location"), "/diffusion/v1/jobs/" + id);
  const std::string events = server.get("/diffusion/v1/jobs/" + id + "/events").body;
  EXPECT_TRUE(events.ends_with("event: done\ndata: {\"error\": null, \"state\": \"done\"}\n\n")) << events;
  const Json done = server.wait(id);
  EXPECT_EQ(to_int(at(done, "steps_done"), "steps"), 12);
  const HttpReply png = server.get(text_at(first_of(done, "images"), "path"));
  EXPECT_EQ(png.header("Content-Type"), "image/png");
  EXPECT_EQ(to_base64(std::as_bytes(std::span(png.body))), server.expected(4, 1, "ddim", 6));
  // Who comes later has the previews again, and the end.
  const std::string again = server.get("/diffusion/v1/jobs/" + id + "/events").body;
  std::size_t previews = 0;
  for (std::size_t from = 0; (from = again.find("event: preview", from)) != std::string::npos; ++from)
    ++previews;
  EXPECT_EQ(previews, 6u);
  EXPECT_TRUE(again.ends_with("\"done\"}\n\n"));
}

TEST(Server, CancelsJobsAndForgetsOldOnes) {
  ServeOptions options = quick_options();
  options.keep.time = 0s;
  const RunningServer server(options);
  const Json job = server.json(server.post("/diffusion/v1/jobs", R"({"count":64,"steps":100})"), 202);
  const std::string path = "/diffusion/v1/jobs/" + text_at(job, "id");
  HttpClient listener(server.port());
  listener.send_request("GET", path + "/events");
  listener.read_until("event: step");
  EXPECT_EQ(HttpClient(server.port()).request("DELETE", path).status, 200);
  EXPECT_TRUE(listener.read_reply().body.ends_with("\"cancelled\"}\n\n"));
  EXPECT_EQ(server.get(path).status, 410);
  EXPECT_EQ(server.get("/diffusion/v1/jobs/0123456789abcdef0123456789abcdef").status, 404);
}

TEST(Server, CancelsTheJobOfAClientThatLeaves) {
  RunningServer server;
  HttpClient client(server.port());
  client.send_request("POST", "/v1/images/generations",
                      R"({"prompt":"0","n":64,"num_inference_steps":100,"sampler":"ddim"})");
  wait_until([&] { return server.server().engine().counts().running > 0; });
  client.close();
  wait_until([&] { return server.server().engine().counts().cancelled > 0; });
  EXPECT_EQ(server.server().engine().counts().cancelled, 1u);
  EXPECT_EQ(server.server().engine().counts().running, 0);
}

TEST(Server, FinishesWhatIsUnderWayBeforeItEnds) {
  RunningServer server;
  HttpClient client(server.port()), late(server.port());
  EXPECT_EQ(late.request("GET", "/health").status, 200);
  client.send_request("POST", "/v1/images/generations",
                      R"({"prompt":"0","seed":1,"sampler":"ddim","num_inference_steps":100,"n":8})");
  wait_until([&] { return server.server().engine().counts().running > 0; });
  std::thread drain([&] { server.server().drain(30s); });
  wait_until([&] { return text_at(server.json(late.request("GET", "/health")), "status") == "draining"; });
  EXPECT_EQ(late.request("POST", "/v1/images/generations", R"({"prompt":"0"})").status, 503);
  const HttpReply reply = client.read_reply();
  EXPECT_EQ(reply.status, 200);
  drain.join();
  EXPECT_EQ(server.server().engine().counts().running, 0);
}

TEST(Server, HasThePageUnderAStrictPolicy) {
  const RunningServer server;
  std::size_t bytes = 0;
  for (const PageFile& file : page_files()) {
    const HttpReply reply = server.get(std::string(file.path));
    EXPECT_EQ(reply.status, 200) << file.path;
    EXPECT_EQ(reply.body, file.content);
    EXPECT_EQ(reply.header("X-Content-Type-Options"), "nosniff");
    EXPECT_TRUE(reply.header("Content-Security-Policy").starts_with("default-src 'none'"));
    EXPECT_EQ(reply.header("Access-Control-Allow-Origin"), "");
    if (file.path != "/openapi.json") bytes += reply.body.size();
  }
  EXPECT_GT(bytes, 1000u);
  EXPECT_LT(bytes, 200'000u);
  const std::string page = server.get("/").body;
  EXPECT_EQ(page.find("http:"), std::string::npos);  // nothing from elsewhere
  EXPECT_EQ(page.find("style="), std::string::npos);
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t place = text.find(from);
  return place == std::string::npos ? text : text.replace(place, from.size(), to);
}

TEST(Server, IsWhatItsOpenApiFileSays) {
  const scratch::Folder runs;
  make_folders(runs / "tiny/previews");
  write_file(runs / "tiny/log.jsonl", std::string_view());
  write_file(runs / "tiny/previews/step-000000001.png", encode_png(small_picture()));
  ServeOptions options = quick_options();
  options.runs = runs.path().string();
  const RunningServer server(options);
  const Json document = server.json(server.get("/openapi.json"));
  const Json job = server.json(server.post("/diffusion/v1/jobs", R"({"steps":2})"), 202);
  const std::string& id = text_at(job, "id");
  server.wait(id);
  std::size_t operations = 0;
  for (const auto& [path, methods] : to_object(at(document, "paths"), "paths"))
    for (const auto& [method, operation] : to_object(methods, path)) {
      std::string name = method;
      std::ranges::transform(name, name.begin(), [](unsigned char c) { return char(std::toupper(c)); });
      const std::string where =
          replaced(replaced(replaced(replaced(replaced(path, "{id}", id), "{index}", "0"), "{model}", "a"),
                            "{run}", "tiny"),
                   "{step}", "1");
      const HttpReply reply = HttpClient(server.port()).request(name, where, name == "POST" ? "{}" : "");
      EXPECT_NE(reply.status, 404) << name << " " << where;
      EXPECT_NE(reply.status, 405) << name << " " << where;
      ++operations;
    }
  EXPECT_GT(operations, 20u);
  // Every field that a job may have is there, and no other.
  const Json& schemas = at(at(document, "components"), "schemas");
  for (const auto& [field, schema] : to_object(at(at(schemas, "JobRequest"), "properties"), "properties")) {
    const HttpReply reply = server.post("/diffusion/v1/jobs", R"({")" + field + R"(":[]})");
    EXPECT_EQ(reply.body.find("do not exist"), std::string::npos) << reply.body;
  }
  for (const auto& [field, schema] : to_object(at(at(schemas, "Job"), "properties"), "properties"))
    EXPECT_TRUE(job.find(field)) << field;
  EXPECT_EQ(to_object(at(at(schemas, "Job"), "properties"), "properties").size(),
            to_object(job, "job").size());
}

}  // namespace
}  // namespace diffusion::serve
