#include "serve/server.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include <diffusion/error.h>
#include <diffusion/generate.h>
#include <diffusion/picture_files.h>
#include "formats/json.h"
#include "serve/base64.h"
#include "serve/page_files.h"
#include "support/http_client.h"
#include "support/running_server.h"

namespace diffusion::serve {
namespace {

using namespace std::chrono_literals;
using namespace testing;

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

}  // namespace
}  // namespace diffusion::serve
