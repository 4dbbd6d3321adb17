#include "serve/server.h"

#include <gtest/gtest.h>

#include <fstream>

#include <diffusion/edit.h>
#include <diffusion/error.h>
#include <diffusion/picture_files.h>
#include "files/folders.h"
#include "files/fs.h"
#include "formats/json.h"
#include "serve/base64.h"
#include "support/http_client.h"
#include "support/running_server.h"
#include "support/scratch.h"

namespace diffusion::serve {
namespace {

using namespace testing;

TEST(Server, MakesFramesBetweenTwoSeeds) {
  const RunningServer server;
  const Json job = server.json(
      server.post(
          "/diffusion/v1/jobs",
          R"({"seed":3,"to_seed":9,"count":4,"first":2,"label":"1","sampler":"ddpm","steps":5,"guidance":2})"),
      202);
  const Json done = server.wait(text_at(job, "id"));
  GenerateOptions sampling{.first = 2, .seed = 3, .label = 1};
  sampling.recipe = with_sampler(scheduler_recipe(server.model()), Ddpm{}, server.model());
  sampling.recipe->steps = 5;
  sampling.recipe->guidance.scale = 2;
  const std::vector<Image> frames =
      interpolate(server.model(), server.device(), {.seed = 3}, {.seed = 9}, 4, sampling);
  const Json::Array& images = to_array(at(done, "images"), "images");
  ASSERT_EQ(images.size(), 4u);
  for (std::size_t k = 0; k < 4; ++k) {
    const std::string png = server.get(text_at(images[k], "path")).body;
    EXPECT_EQ(to_base64(std::as_bytes(std::span(png))), to_base64(encode_png(frames[k]))) << k;
  }
  EXPECT_EQ(
      text_at(images[0], "command"),
      "diffusion interpolate 'a' 3 9 --frames 4 --first 2 --label 1 --sampler ddpm --steps 5 --guidance 2 "
      "-o pictures");
  const HttpReply one = server.post("/diffusion/v1/jobs", R"({"to_seed":9})");
  EXPECT_EQ(one.status, 400);
  EXPECT_NE(one.body.find("to_seed"), std::string::npos) << one.body;
}

TEST(Server, TellsEveryOptionInTheCommand) {
  const RunningServer server;
  const Json job = server.json(
      server.post(
          "/diffusion/v1/jobs",
          R"({"sampler":"edm","steps":3,"label":"none","spacing":"karras","s_churn":5,"s_tmin":0.1})"),
      202);
  EXPECT_EQ(
      text_at(first_of(server.wait(text_at(job, "id")), "images"), "command"),
      "diffusion sample 'a' -n 1 --seed 0 --first 0 --label none --sampler edm --steps 3 --spacing karras "
      "--s-churn 5 --s-tmin 0.1 -o pictures");
}

TEST(Server, ShowsTheForwardProcess) {
  const RunningServer server;
  const auto ask = [&](const Image& image) {
    return server.post("/diffusion/v1/noise",
                       R"({"image":")" + to_base64(encode_png(image)) + R"(","frames":3,"seed":1})");
  };
  const Json answer = server.json(ask(small_picture()));
  const Json::Array& frames = to_array(at(answer, "frames"), "frames");
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_EQ(to_int(at(frames[2], "timestep"), "timestep"), 199);
  const Image first = decode_image(*from_base64(text_at(frames[0], "png")), "frame");
  EXPECT_EQ(first.width, 8);
  EXPECT_EQ(first.channels, 1) << "gray stays gray, as `diffusion noise` has it";
  EXPECT_EQ(text_at(answer, "command"),
            "diffusion noise picture.png --width 8 --timesteps 200 --at 0,100,199 --seed 1 -o pictures");
  ServeOptions options = quick_options();
  options.limits.upload_pixels = 63;
  const HttpReply large = RunningServer(options).post(
      "/diffusion/v1/noise", R"({"image":")" + to_base64(encode_png(small_picture())) + R"("})");
  EXPECT_EQ(large.status, 413) << large.body;
}

// Two runs, of which one cannot be read, and two folders that are none.
class RunsShown : public ::testing::Test {
 protected:
  RunsShown() {
    for (const char* name : {"a run", "broken", "empty"}) make_folder(folder_ / name);
    make_folder(folder_ / "a run/previews");
    std::string log;
    for (int step = 1; step <= 1000; ++step)
      log += R"({"gradient_norm":1,"images_per_second":1,"learning_rate":0.001,"loss":)" +
             std::to_string(1.0 / step) + R"(,"seconds":)" + std::to_string(step) + R"(,"step":)" +
             std::to_string(step) +
             (step % 500 == 0 ? R"(,"held_out":{"loss":0.5,"sigma":[0.1,1,10],"loss_by_sigma":[0.4,0.6]}})"
                              : "}") +
             "\n";
    write_file(folder_ / "a run/log.jsonl", log);
    write_file(folder_ / "a run/previews/step-000000500.png", encode_png(small_picture()));
    write_file(folder_ / "a run/previews/step-000000501.png", std::string_view("secret"));
    write_file(folder_ / "broken/log.jsonl", std::string_view("nonsense\n"));
    write_file(folder_ / "secret.png", encode_png(small_picture()));
    options_.runs = folder_.path().string();
  }

  scratch::Folder folder_;
  ServeOptions options_ = quick_options();
};

TEST_F(RunsShown, ListsThemByTheNamesOfTheirFolders) {
  const RunningServer server(options_);
  const HttpReply reply = server.get("/diffusion/v1/runs");
  EXPECT_EQ(reply.body.find(folder_.path().string()), std::string::npos) << "no paths: " << reply.body;
  const Json listed = server.json(reply);
  const Json::Array& runs = to_array(at(listed, "runs"), "runs");
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(text_at(runs[0], "name"), "a run");
  EXPECT_EQ(to_int(at(runs[0], "steps"), "steps"), 1000);
  EXPECT_TRUE(text_at(runs[1], "error").starts_with("log.jsonl, line 1")) << text_at(runs[1], "error");
}

TEST_F(RunsShown, TellsCurvesAndPreviews) {
  const RunningServer server(options_);
  const Json run = server.json(server.get("/diffusion/v1/runs/a%20run"));
  const Json::Array& steps = to_array(at(at(run, "curve"), "step"), "step");
  EXPECT_EQ(steps.size(), 400u);
  EXPECT_EQ(to_double(steps.back(), "step"), 1000);
  const Json::Array& losses = to_array(at(at(run, "curve"), "loss"), "loss");
  EXPECT_NEAR(to_double(losses[0], "loss"), (1 + 0.5) / 2, 1e-5) << "the mean of steps 1 and 2";
  EXPECT_EQ(to_array(at(run, "held_out"), "held_out").size(), 2u);
  EXPECT_EQ(text_at(run, "command"), "diffusion plot 'a run' -o loss.svg");
  const HttpReply png = server.get("/diffusion/v1/runs/a%20run/previews/500");
  EXPECT_EQ(png.header("Content-Type"), "image/png");
  EXPECT_EQ(decode_image(std::as_bytes(std::span(png.body)), "the preview").width, 8);
  // What is appended is seen.
  std::ofstream(folder_ / "a run/log.jsonl", std::ios::app)
      << R"({"gradient_norm":1,"images_per_second":1,"learning_rate":0.001,"loss":1,"seconds":9,"step":1001})"
      << "\n";
  EXPECT_EQ(to_int(at(server.json(server.get("/diffusion/v1/runs/a%20run")), "steps"), "steps"), 1001);
}

TEST_F(RunsShown, ShowsNothingElse) {
  const RunningServer server(options_);
  for (const char* path : {"/empty", "/..", "/.", "/%2e%2e", "/a%20run/previews/501", "/a%20run/previews/7",
                           "/a%20run/log.jsonl", "/a%20run/previews/..%2f..%2fsecret", "/..%2fsecret",
                           "/a%20run/previews/-1", "/a%20run/", "/x", "zzz"})
    EXPECT_EQ(server.get(std::string("/diffusion/v1/runs") + path).status, 404) << path;
  EXPECT_EQ(server.get("/diffusion/v1/runs/%2").status, 400);
  EXPECT_EQ(server.get("/diffusion/v1/runs/%zz").status, 400);
  EXPECT_EQ(server.post("/diffusion/v1/runs", "{}").status, 405);
  EXPECT_EQ(RunningServer().get("/diffusion/v1/runs").status, 404) << "without --runs";
  options_.runs = "/there/is/none";
  EXPECT_THROW(RunningServer{options_}, Error);
}

}  // namespace
}  // namespace diffusion::serve
