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
  // A mask in black and white, with alpha that says nothing, as browsers write it.
  Image opaque{8, 8, 4, std::vector<std::uint8_t>(256, 255)};
  for (std::size_t p = 32; p < 64; ++p)
    std::fill_n(opaque.pixels.begin() + std::ptrdiff_t(4 * p), 3, std::uint8_t{0});
  const Json job =
      server.json(server.post("/diffusion/v1/jobs",
                              R"({"label":"beta","seed":3,"steps":4,"sampler":"ddim","image":")" +
                                  to_base64(png) + R"(","mask":")" + to_base64(encode_png(opaque)) + R"("})"),
                  202);
  const Json done = server.wait(text_at(job, "id"));
  const std::string made = server.get(text_at(first_of(done, "images"), "path")).body;
  EXPECT_EQ(to_base64(std::as_bytes(std::span(made))), text_at(first_of(answer, "data"), "b64_json"));
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

}  // namespace
}  // namespace diffusion::serve
