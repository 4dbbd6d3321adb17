// The requests that other programs send, in their order, as their sources have them, and what these programs
// look at in the answers:
//
//   Open WebUI, backend/open_webui/routers/images.py (aiohttp)
//   SillyTavern, src/endpoints/stable-diffusion.js (node-fetch) and its extension stable-diffusion

#include "serve/server.h"

#include <gtest/gtest.h>

#include <algorithm>

#include <diffusion/picture_files.h>
#include "formats/json.h"
#include "serve/base64.h"
#include "support/http_client.h"
#include "support/running_server.h"

namespace diffusion::serve {
namespace {

using namespace testing;
using Headers = HttpClient::Headers;

// One of those programs, as HTTP sees it.
class Program {
 public:
  Program(const RunningServer& server, Headers headers) : server_(server), headers_(std::move(headers)) {}

  Json get(const std::string& path) const { return server_.json(send("GET", path)); }
  Json post(const std::string& path, const std::string& body) const {
    return server_.json(send("POST", path, body));
  }
  HttpReply send(const std::string& method, const std::string& path, const std::string& body = "",
                 const Headers& more = {}) const {
    Headers headers = headers_;
    headers.insert(headers.end(), more.begin(), more.end());
    return HttpClient(server_.port()).request(method, path, body, headers);
  }

 private:
  const RunningServer& server_;
  Headers headers_;
};

Headers of_aiohttp(const std::string& authorization) {
  return {{"authorization", authorization},
          {"Accept", "*/*"},
          {"Accept-Encoding", "gzip, deflate, br"},
          {"User-Agent", "Python/3.11 aiohttp/3.13.2"}};
}

Headers of_node_fetch(const std::string& authorization) {
  return {{"Authorization", authorization},
          {"Accept", "*/*"},
          {"User-Agent", "node-fetch"},
          {"Accept-Encoding", "gzip, deflate, br"},
          {"Connection", "close"}};
}

std::vector<std::string> texts_of(const Json& list, std::string_view key) {
  std::vector<std::string> texts;
  for (const Json& entry : to_array(list, "the list")) texts.push_back(text_at(entry, key));
  return texts;
}

void expect_picture(const std::string& base64, int width, int height) {
  EXPECT_EQ(base64.find(','), std::string::npos) << "a client takes what is before a comma for a header";
  const Image image = decode_image(*from_base64(base64), "the answer");
  EXPECT_EQ(image.width, width);
  EXPECT_EQ(image.height, height);
}

TEST(Clients, OpenWebUiWithAutomatic1111) {
  const RunningServer server;
  const Program program(server, of_aiohttp(""));  // without a password the header is empty
  // The administrator checks the address, lists models, and chooses one: all options go back, one changed.
  program.get("/sdapi/v1/options");
  const Json models = program.get("/sdapi/v1/sd-models");
  EXPECT_EQ(texts_of(models, "title"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(texts_of(models, "model_name"), (std::vector<std::string>{"a", "b"}));
  Json::Object options = to_object(program.get("/sdapi/v1/options"), "options");
  EXPECT_EQ(to_string(options.at("sd_model_checkpoint"), "checkpoint"), "a");
  options["sd_model_checkpoint"] = "b";
  program.post("/sdapi/v1/options", dump_json(options));
  EXPECT_EQ(text_at(program.get("/sdapi/v1/options"), "sd_model_checkpoint"), "b");
  program.post("/sdapi/v1/options", R"({"sd_model_checkpoint": "a"})");
  // Somebody asks for two pictures.
  const Json answer = program.post(
      "/sdapi/v1/txt2img",
      R"({"prompt": "a beta", "batch_size": 2, "width": 512, "height": 512, "steps": 5, "negative_prompt": "ugly"})");
  const Json::Array& images = to_array(at(answer, "images"), "images");
  ASSERT_EQ(images.size(), 2u);
  for (const Json& image : images) expect_picture(to_string(image, "image"), 512, 512);
  EXPECT_TRUE(answer.find("info"));
  // With settings of the administrator's for all requests.
  program.post("/sdapi/v1/txt2img",
               R"({"prompt": "beta", "batch_size": 1, "width": 512, "height": 512, "steps": 5, "cfg_scale": 7,
                   "sampler_name": "DPM++ 2M", "scheduler": "Karras"})");
}

// As aiohttp writes a form: a type for every part, text included.
std::string aiohttp_form(const std::vector<std::pair<std::string, std::string>>& fields,
                         const std::string& image_field, std::string_view png) {
  std::string form;
  for (const auto& [name, value] : fields)
    form += "--7c5f0a\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=\"" +
            name + "\"\r\n\r\n" + value + "\r\n";
  form += "--7c5f0a\r\nContent-Type: image/png\r\nContent-Disposition: form-data; name=\"" + image_field +
          "\"; filename=\"1f0c2d6e-9a51-4b0e-8f57-1f0c2d6e9a51.png\"\r\n\r\n" + std::string(png) + "\r\n";
  return form + "--7c5f0a--\r\n";
}

TEST(Clients, OpenWebUiWithOpenAi) {
  ServeOptions options = quick_options();
  options.guard.api_keys = {"0123456789abcdef"};
  const RunningServer server(options);
  const Program program(server, of_aiohttp("Bearer 0123456789abcdef"));
  const Json answer = program.post(
      "/v1/images/generations?api-version=2025-04-01-preview",
      R"({"model": "a", "prompt": "beta", "n": 1, "size": "512x512", "response_format": "b64_json"})");
  const Json& image = first_of(answer, "data");
  EXPECT_FALSE(image.find("url"));
  expect_picture(text_at(image, "b64_json"), 512, 512);
  // Edits: one picture, or a list of one; numbers are text.
  const std::vector<std::byte> png = encode_png(small_picture());
  const std::string_view bytes(reinterpret_cast<const char*>(png.data()), png.size());
  for (const char* field : {"image", "image[]"}) {
    const std::string form = aiohttp_form({{"model", "a"},
                                           {"prompt", "beta"},
                                           {"n", "1"},
                                           {"size", "512x512"},
                                           {"background", "auto"},
                                           {"response_format", "b64_json"}},
                                          field, bytes);
    const Json edited = server.json(program.send("POST", "/v1/images/edits", form,
                                                 {{"Content-Type", "multipart/form-data; boundary=7c5f0a"}}));
    expect_picture(text_at(first_of(edited, "data"), "b64_json"), 512, 512);
  }
  EXPECT_EQ(Program(server, of_aiohttp("Bearer of somebody else"))
                .send("POST", "/v1/images/generations", "{}")
                .status,
            401);
}

TEST(Clients, SillyTavernConnects) {
  const RunningServer server;
  const Program program(server, of_node_fetch("Basic "));
  program.get("/sdapi/v1/options");
  EXPECT_EQ(texts_of(program.get("/sdapi/v1/upscalers"), "name"), std::vector<std::string>{});
  EXPECT_EQ(texts_of(program.get("/sdapi/v1/latent-upscale-modes"), "name"), std::vector<std::string>{});
  EXPECT_EQ(texts_of(program.get("/sdapi/v1/sd-vae"), "model_name"), std::vector<std::string>{});
  EXPECT_EQ(program.send("GET", "/sdapi/v1/sd-modules").status, 404) << "Forge's, of which it does without";
  EXPECT_FALSE(texts_of(program.get("/sdapi/v1/samplers"), "name").empty());
  EXPECT_FALSE(texts_of(program.get("/sdapi/v1/schedulers"), "name").empty());
  EXPECT_EQ(texts_of(program.get("/sdapi/v1/sd-models"), "title"), (std::vector<std::string>{"a", "b"}));
  // Another model: it waits until nothing is under way.
  program.post("/sdapi/v1/options", R"({"sd_model_checkpoint":"b"})");
  const Json progress = program.get("/sdapi/v1/progress");
  EXPECT_EQ(to_double(at(progress, "progress"), "progress"), 0);
  EXPECT_EQ(to_int(at(at(progress, "state"), "job_count"), "job_count"), 0);
}

std::string silly_tavern_wish(const std::string& sampler, int steps) {
  return R"({"url":"http://localhost:7860","auth":"","prompt":"best quality, beta, detailed","negative_prompt":"lowres",
             "sampler_name":")" +
         sampler + R"(","scheduler":"automatic","steps":)" + std::to_string(steps) + R"(,"cfg_scale":7,
             "width":512,"height":512,"restore_faces":false,"enable_hr":false,"hr_upscaler":"Latent","hr_scale":1,
             "hr_additional_modules":[],"denoising_strength":0.7,"hr_second_pass_steps":0,"seed":7,
             "override_settings":{"CLIP_stop_at_last_layers":1,"sd_vae":"Automatic"},
             "override_settings_restore_afterwards":true,"clip_skip":1,"save_images":true,"send_images":true,
             "do_not_save_grid":false,"do_not_save_samples":false})";
}

TEST(Clients, SillyTavernDrawsWithEverySamplerThatIsListed) {
  const RunningServer server;
  const Program program(server, of_node_fetch("Basic "));
  for (const std::string& sampler : texts_of(program.get("/sdapi/v1/samplers"), "name")) {
    EXPECT_FALSE(program.get("/sdapi/v1/options").find("forge_preset"));
    const HttpReply reply = program.send("POST", "/sdapi/v1/txt2img", silly_tavern_wish(sampler, 6));
    ASSERT_EQ(reply.status, 200) << sampler << ": " << reply.body;
    const Json answer = server.json(reply);
    expect_picture(to_string(first_of(answer, "images"), "image"), 512, 512);
  }
}

TEST(Clients, SillyTavernStops) {
  RunningServer server;
  const Program program(server, of_node_fetch("Basic "));
  HttpClient drawing(server.port());
  std::string wish = silly_tavern_wish("ddim", 100);
  wish.insert(1, "\"batch_size\":64,");  // not of theirs: so that it takes long enough to be stopped
  drawing.send_request("POST", "/sdapi/v1/txt2img", wish, of_node_fetch("Basic "));
  wait_until([&] { return server.server().engine().counts().running > 0; });
  EXPECT_EQ(to_int(at(at(program.get("/sdapi/v1/progress"), "state"), "job_count"), "job_count"), 1);
  // A POST without a body, and the connection of the drawing ends.
  HttpClient interrupt(server.port());
  interrupt.send("POST /sdapi/v1/interrupt HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) +
                 "\r\nAuthorization: Basic \r\nAccept: */*\r\nUser-Agent: node-fetch\r\nContent-Length: 0\r\n"
                 "Connection: close\r\n\r\n");
  EXPECT_EQ(interrupt.read_reply().status, 200);
  drawing.close();
  wait_until([&] { return server.server().engine().counts().cancelled > 0; });
  EXPECT_EQ(server.server().engine().counts().done, 0u);
}

}  // namespace
}  // namespace diffusion::serve
