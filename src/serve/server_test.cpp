#include "serve/server.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include <diffusion/error.h>
#include <diffusion/generate.h>
#include <diffusion/picture_files.h>
#include "cli_program.h"
#include "formats/json.h"
#include "serve/base64.h"
#include "serve/page_files.h"
#include "support/http_client.h"

namespace diffusion::serve {
namespace {

using namespace std::chrono_literals;
using testing::HttpClient;
using testing::HttpReply;

ServeOptions quick_options() {
  ServeOptions options;
  options.port = 0;
  options.engine.threads = 1;
  options.engine.most_rows = 8;
  options.metrics = true;
  return options;
}

// A server of two tiny models that runs while the test does.
class RunningServer {
 public:
  explicit RunningServer(const ServeOptions& options = quick_options())
      : model_(std::make_shared<const Model>(cli::tiny_model())),
        plain_(std::make_shared<const Model>(cli::tiny_model({.channels = 3, .guidance = false, .seed = 9}))),
        device_(make_cpu_device(Precision::f32)),
        server_({{"a", model_}, {"b", plain_}}, device_, options),
        thread_([this] { server_.run(); }) {}
  ~RunningServer() {
    server_.stop();
    thread_.join();
  }

  const Model& model() const { return *model_; }
  const Device& device() const { return *device_; }
  int port() const { return server_.port(); }
  Server& server() { return server_; }

  HttpReply get(const std::string& path) const { return HttpClient(port()).request("GET", path); }
  HttpReply post(const std::string& path, const std::string& body,
                 const HttpClient::Headers& headers = {}) const {
    return HttpClient(port()).request("POST", path, body, headers);
  }
  Json json(const HttpReply& reply, int status = 200) const {
    EXPECT_EQ(reply.status, status) << reply.body;
    return parse_json(reply.body, "the answer");
  }

  // What generate() makes of the tiny model, as PNG in base64.
  std::string expected(std::uint64_t seed, int label, const std::string& sampler, int steps,
                       double guidance = 1) const {
    GenerateOptions options{.count = 1, .seed = seed, .label = label};
    options.recipe = with_sampler(scheduler_recipe(*model_), find_sampler(sampler), *model_);
    options.recipe->steps = steps;
    options.recipe->guidance.scale = guidance;
    return to_base64(encode_png(generate(*model_, *device_, options).front()));
  }

  // Until it has ended.
  Json wait(const std::string& id) const {
    for (int k = 0; k < 3000; ++k) {
      const Json status = json(get("/diffusion/v1/jobs/" + id));
      const std::string& state = to_string(member(status, "state", "job"), "state");
      if (state != "queued" && state != "running") return status;
      std::this_thread::sleep_for(10ms);
    }
    throw std::runtime_error("the job does not end");
  }

 private:
  std::shared_ptr<const Model> model_, plain_;
  std::shared_ptr<const Device> device_;
  Server server_;
  std::thread thread_;
};

void wait_until(const auto& holds) {
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

TEST(Server, MakesWhatGenerateMakesForOpenAisClients) {
  const RunningServer server;
  const Json answer = server.json(server.post(
      "/v1/images/generations",
      R"({"model":"a","prompt":"gamma ray","n":2,"seed":5,"num_inference_steps":4,"sampler":"heun",
                      "guidance_scale":2,"user":"somebody","quality":"high"})"));
  EXPECT_EQ(text_at(first_of(answer, "data"), "b64_json"), server.expected(5, 2, "heun", 4, 2));
  EXPECT_EQ(to_array(at(answer, "data"), "data").size(), 2u);
  EXPECT_EQ(to_string(first_of(at(answer, "diffusion"), "commands"), "command"),
            "diffusion sample 'a' -n 1 --seed 5 --first 0 --label 2 --sampler heun --steps 4 --guidance 2 -o "
            "pictures");
  // A class between other words, larger, and as JPEG.
  const Json large = server.json(server.post(
      "/v1/images/generations",
      R"({"prompt":"an alpha, high quality","size":"20x16","output_format":"jpeg","num_inference_steps":2})"));
  const auto bytes = from_base64(text_at(first_of(large, "data"), "b64_json"));
  const Image image = decode_image(*bytes, "the answer");
  EXPECT_EQ(image.width, 20);
  EXPECT_EQ(image.height, 16);
}

TEST(Server, StreamsPartialImages) {
  const RunningServer server;
  HttpClient client(server.port());
  const HttpReply reply = client.request(
      "POST", "/v1/images/generations",
      R"({"prompt":"0","seed":1,"sampler":"euler","num_inference_steps":9,"stream":true,"partial_images":2})");
  EXPECT_EQ(reply.header("Content-Type"), "text/event-stream");
  std::vector<std::string> kinds;
  std::string last;
  for (std::size_t from = 0; (from = reply.body.find("data: ", from)) != std::string::npos; ++from) {
    const Json data =
        parse_json(reply.body.substr(from + 6, reply.body.find('\n', from) - from - 6), "event");
    kinds.push_back(text_at(data, "type"));
    last = text_at(data, "b64_json");
  }
  EXPECT_EQ(kinds,
            (std::vector<std::string>{"image_generation.partial_image", "image_generation.partial_image",
                                      "image_generation.completed"}));
  EXPECT_EQ(last, server.expected(1, 0, "euler", 9));
}

TEST(Server, ChangesPicturesThatAreUploaded) {
  const RunningServer server;
  const std::vector<std::byte> png = encode_png(small_picture());
  Image hole{8, 8, 4, std::vector<std::uint8_t>(256, 255)};
  for (std::size_t p = 0; p < 32; ++p) hole.pixels[4 * p + 3] = 0;  // the upper half is drawn anew
  const std::vector<std::byte> mask = encode_png(hole);
  const auto part = [](const std::string& head, std::string_view content) {
    return "--xyz\r\nContent-Disposition: form-data; " + head + "\r\n\r\n" + std::string(content) + "\r\n";
  };
  const auto file = [&](const std::string& name, const std::vector<std::byte>& bytes) {
    return part("name=\"" + name + "\"; filename=\"x.png\"",
                {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  };
  const std::string body = file("image", png) + file("mask", mask) + part("name=\"prompt\"", "beta") +
                           part("name=\"seed\"", "3") + part("name=\"num_inference_steps\"", "4") +
                           part("name=\"sampler\"", "ddim") + "--xyz--\r\n";
  const Json answer = server.json(
      server.post("/v1/images/edits", body, {{"Content-Type", "multipart/form-data; boundary=xyz"}}));
  EditOptions options;
  options.sampling = {.count = 1, .seed = 3, .label = 1};
  options.sampling.recipe = with_sampler(scheduler_recipe(server.model()), Ddim{}, server.model());
  options.sampling.recipe->steps = 4;
  options.strength = 1;
  options.mask = {8, 8, 1, std::vector<std::uint8_t>(64, 0)};
  std::fill_n(options.mask.pixels.begin(), 32, std::uint8_t{255});
  const std::vector<Image> pictures{small_picture()};
  EXPECT_EQ(text_at(first_of(answer, "data"), "b64_json"),
            to_base64(encode_png(edit(server.model(), server.device(), pictures, options).front())));
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

TEST(Server, RefusesMoreJobsThanMayWait) {
  ServeOptions options = quick_options();
  options.engine.running = 1;
  options.engine.waiting = 1;
  RunningServer server(options);
  const std::string body = R"({"count":64,"steps":100})";
  server.json(server.post("/diffusion/v1/jobs", body), 202);
  wait_until([&] { return server.server().engine().counts().running > 0; });
  const Json waits = server.json(server.post("/diffusion/v1/jobs", body), 202);
  EXPECT_EQ(to_int(at(waits, "place"), "place"), 1);
  const HttpReply refused = server.post("/diffusion/v1/jobs", body);
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.header("Retry-After"), "1");
}

TEST(Server, SpeaksToClientsOfAutomatic1111) {
  const RunningServer server;
  const Json answer = server.json(server.post(
      "/sdapi/v1/txt2img",
      R"({"prompt":"beta","negative_prompt":"ugly","seed":8,"steps":3,"sampler_name":"Euler","cfg_scale":2,
                      "width":16,"height":16,"enable_hr":false,"restore_faces":false})"));
  const auto bytes = from_base64(to_string(first_of(answer, "images"), "image"));
  EXPECT_EQ(decode_image(*bytes, "the answer").width, 16);
  const Json info = parse_json(text_at(answer, "info"), "info");
  EXPECT_EQ(text_at(info, "enlarged_from"), "8x8");
  EXPECT_EQ(text_at(info, "sampler_name"), "euler");
  const std::string picture = to_base64(encode_png(small_picture()));
  server.json(server.post("/sdapi/v1/img2img",
                          R"({"prompt":"beta","steps":3,"init_images":["data:image/png;base64,)" + picture +
                              R"("],"denoising_strength":0.5})"));
  server.json(server.post("/sdapi/v1/options", R"({"sd_model_checkpoint":"b"})"));
  EXPECT_EQ(text_at(server.json(server.get("/sdapi/v1/options")), "sd_model_checkpoint"), "b");
  EXPECT_EQ(to_int(at(at(server.json(server.get("/sdapi/v1/progress")), "state"), "job_count"), "jobs"), 0);
  server.json(server.post("/sdapi/v1/interrupt", ""));
  for (const char* list :
       {"sd-models", "samplers", "schedulers", "upscalers", "latent-upscale-modes", "sd-vae"})
    to_array(server.json(server.get(std::string("/sdapi/v1/") + list)), list);
}

TEST(Server, ShowsTheForwardProcess) {
  const RunningServer server;
  const Json answer = server.json(
      server.post("/diffusion/v1/noise",
                  R"({"image":")" + to_base64(encode_png(small_picture())) + R"(","frames":3,"seed":1})"));
  const Json::Array& frames = to_array(at(answer, "frames"), "frames");
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_EQ(to_int(at(frames[2], "timestep"), "timestep"), 199);
  const Image first = decode_image(*from_base64(text_at(frames[0], "png")), "frame");
  EXPECT_EQ(first.width, 8);
}

struct WrongField {
  const char *path, *body, *field;
};

TEST(Server, NamesTheFieldThatIsWrong) {
  const RunningServer server;
  const std::string jobs = "/diffusion/v1/jobs", openai = "/v1/images/generations";
  for (const WrongField& wrong : std::initializer_list<WrongField>{
           {"/diffusion/v1/jobs", R"({"steps":0})", "steps"},
           {"/diffusion/v1/jobs", R"({"steps":1001})", "steps"},
           {"/diffusion/v1/jobs", R"({"steps":"4"})", "steps"},
           {"/diffusion/v1/jobs", R"({"steps":4.5})", "steps"},
           {"/diffusion/v1/jobs", R"({"count":65})", "count"},
           {"/diffusion/v1/jobs", R"({"seed":-1})", "seed"},
           {"/diffusion/v1/jobs", R"({"guidance":NaN})", "guidance"},
           {"/diffusion/v1/jobs", R"({"label":"delta"})", "label"},
           {"/diffusion/v1/jobs", R"({"label":3})", "label"},
           {"/diffusion/v1/jobs", R"({"model":"b","label":"none"})", "label"},
           {"/diffusion/v1/jobs", R"({"sampler":"magic"})", "sampler"},
           {"/diffusion/v1/jobs", R"({"sampler":"heun","eta":0.5})", "sampler"},
           {"/diffusion/v1/jobs", R"({"sampler":"ddim","eta":2})", "sampler"},
           {"/diffusion/v1/jobs", R"({"stepz":4})", "stepz"},
           {"/diffusion/v1/jobs", R"({"image":"?"})", "image"},
           {"/diffusion/v1/jobs", R"({"image":"aGVsbG8="})", "image"},
           {"/diffusion/v1/jobs", R"({"strength":0.5})", "image"},
           {"/diffusion/v1/jobs", R"({"previews":1000,"count":64})", "previews"},
           {"/v1/images/generations", R"({})", "prompt"},
           {"/v1/images/generations", R"({"prompt":"a cat"})", "prompt"},
           {"/v1/images/generations", R"({"prompt":"0","n":65})", "n"},
           {"/v1/images/generations", R"({"prompt":"0","size":"4x4"})", "size"},
           {"/v1/images/generations", R"({"prompt":"0","size":"99999x99999"})", "size"},
           {"/v1/images/generations", R"({"prompt":"0","size":"large"})", "size"},
           {"/v1/images/generations", R"({"prompt":"0","output_format":"webp"})", "output_format"},
           {"/v1/images/generations", R"({"prompt":"0","response_format":"url"})", "response_format"}}) {
    const HttpReply reply = server.post(wrong.path, wrong.body);
    EXPECT_EQ(reply.status, 400) << wrong.body << reply.body;
    const Json error = at(parse_json(reply.body, "the answer"), "error");
    const char* key = wrong.path == openai ? "param" : "field";
    EXPECT_EQ(at(error, key), Json(wrong.field)) << wrong.body << reply.body;
    EXPECT_NE(text_at(error, "message"), "");
  }
}

TEST(Server, RefusesWhatIsNoRequest) {
  const RunningServer server;
  std::string deep(100'000, '[');
  for (const std::string& body : {std::string("{"), std::string("[]"), std::string("null"),
                                  std::string("\"x\""), std::string("{\"steps\":4"),
                                  std::string("{\"a\":1,\"a\":2}"), deep, std::string("{\"label\":\"\xff\"}"),
                                  std::string("{}x"), std::string("{\"seed\":1e999}"), std::string()})
    for (const char* path :
         {"/diffusion/v1/jobs", "/v1/images/generations", "/sdapi/v1/txt2img", "/diffusion/v1/noise"}) {
      if (body.empty() && std::string(path) == "/sdapi/v1/txt2img") continue;
      EXPECT_EQ(server.post(path, body).status, 400) << path << " " << body.substr(0, 50);
    }
  EXPECT_EQ(server.post("/diffusion/v1/jobs", "{}", {{"Content-Type", "text/plain"}}).status, 415);
  EXPECT_EQ(server.post("/diffusion/v1/jobs", "{}", {{"Origin", "null"}}).status, 403);
  EXPECT_EQ(server.post("/diffusion/v1/jobs", "{}", {{"Host", "127.0.0.1.evil.example"}}).status, 403);
  EXPECT_EQ(server.post("/diffusion/v1/jobs", "{}", {{"Host", "\xff\xfe"}}).status, 403);
  EXPECT_EQ(HttpClient(server.port()).request("DELETE", "/diffusion/v1/jobs").status, 405);
  EXPECT_EQ(server.get("/v1/images/generations").status, 405);
  EXPECT_EQ(server.get("/../../etc/passwd").status, 404);
  EXPECT_EQ(server.get("/nothing").status, 404);
  EXPECT_EQ(HttpClient(server.port()).request("GET", "/health", "", {{"X", std::string(9000, 'x')}}).status,
            431);
  for (const char* type :
       {"multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=x"})
    for (const char* body :
         {"-", "--x", "--x--", "--x\r\n", "--x\r\n\r\n--x--", "--x\r\nA: b\r\n\r\nc\r\n--x--"}) {
      const HttpReply reply = server.post("/v1/images/edits", body, {{"Content-Type", type}});
      EXPECT_EQ(reply.status, 400) << type << "\n" << body;
    }
}

TEST(Server, RefusesLargePicturesBeforeItDecodesThem) {
  ServeOptions options = quick_options();
  options.limits.upload_pixels = 63;
  const RunningServer server(options);
  const HttpReply reply =
      server.post("/diffusion/v1/jobs", R"({"image":")" + to_base64(encode_png(small_picture())) + R"("})");
  EXPECT_EQ(reply.status, 413);
  EXPECT_NE(reply.body.find("8 x 8"), std::string::npos) << reply.body;
  std::string bomb("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff", 24);
  EXPECT_EQ(
      server.post("/diffusion/v1/jobs", R"({"image":")" + to_base64(std::as_bytes(std::span(bomb))) + R"("})")
          .status,
      413);
}

TEST(Server, AsksForKeysWhereOthersReachIt) {
  ServeOptions options = quick_options();
  options.address = "0.0.0.0";
  EXPECT_THROW(RunningServer{options}, Error);
  options.guard.api_keys = {"a-key-of-this-server"};
  const RunningServer server(options);
  EXPECT_EQ(server.get("/health").status, 401);
  EXPECT_EQ(HttpClient(server.port())
                .request("GET", "/", "", {{"Authorization", "Bearer a-key-of-this-server"}})
                .status,
            200);
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
  const RunningServer server;
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
          replaced(replaced(replaced(path, "{id}", id), "{index}", "0"), "{model}", "a");
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
