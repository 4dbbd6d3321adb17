// A training run that is killed again and again ends with the same bytes as one that never was.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/rng.h"
#include "io/json.h"
#include "io/scratch.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;

fs::path binary() {
  if (const char* path = std::getenv("DIFFUSION_BINARY")) return path;
  return fs::read_symlink("/proc/self/exe").parent_path() / "diffusion";
}

// Runs live in memory where that is possible: flushing dozens of checkpoints to a slow disk would take minutes.
std::unique_ptr<scratch::Folder> make_folder() {
  if (fs::is_directory("/dev/shm")) setenv("TMPDIR", "/dev/shm", 1);
  return std::make_unique<scratch::Folder>();
}

pid_t start_training(const fs::path& run) {
  const pid_t child = fork();
  if (child != 0) return child;
  const std::string program = binary(), out = run;
  if (!std::freopen("/dev/null", "w", stdout) || !std::freopen((run.string() + ".err").c_str(), "a", stderr))
    _exit(127);
  execl(program.c_str(), program.c_str(), "train", "--data", "shapes", "--preset", "tiny", "--out",
        out.c_str(), "--steps", "240", "--batch", "8", "--save-every", "12", "--seed", "5", "--threads", "2",
        "--quiet", nullptr);
  _exit(127);
}

int wait_for(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

std::string text_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<double> losses_of(const fs::path& run) {
  std::vector<double> losses;
  std::istringstream lines(text_of(run / "log.jsonl"));
  for (std::string line; std::getline(lines, line);)
    losses.push_back(to_double(*parse_json(line, "log").find("loss"), "loss"));
  return losses;
}

double seconds_to_finish(const fs::path& run) {
  const auto start = std::chrono::steady_clock::now();
  const int status = wait_for(start_training(run));
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << text_of(run.string() + ".err");
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void expect_same(const fs::path& a, const fs::path& b) {
  for (const char* file : {"unet/diffusion_pytorch_model.safetensors", "training/state.safetensors"}) {
    ASSERT_FALSE(text_of(a / "latest" / file).empty()) << file;
    EXPECT_TRUE(text_of(a / "latest" / file) == text_of(b / "latest" / file)) << file << " differs";
  }
  EXPECT_EQ(losses_of(a).size(), 240u);
  EXPECT_EQ(losses_of(a), losses_of(b));
}

TEST(Kill, TwentyKillsAtRandomMomentsChangeNothing) {
  if (!fs::exists(binary())) GTEST_SKIP() << "skipped: no program at " << binary();
  const auto folder = make_folder();
  const fs::path whole = folder->path() / "whole", killed = folder->path() / "killed";
  const double duration = seconds_to_finish(whole);

  // Moments from before the first step to the middle of the run, so that many hit a step and many a checkpoint.
  int kills = 0;
  for (std::uint32_t attempt = 0; kills < 20 && attempt < 100; ++attempt) {
    const pid_t child = start_training(killed);
    const double delay = duration * (0.1 + 0.5 * uniform({11, Stream::shuffle, attempt, 0}));
    std::this_thread::sleep_for(std::chrono::duration<double>(delay));
    kill(child, SIGKILL);
    if (WIFSIGNALED(wait_for(child))) ++kills;
    if (losses_of(killed).size() >=
        116) {  // nearly done: begin again, the rest of the kills need work to hit
      const int status = wait_for(start_training(killed));
      ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << text_of(killed.string() + ".err");
      expect_same(whole, killed);
      fs::remove_all(killed);
    }
  }
  EXPECT_EQ(kills, 20);
  seconds_to_finish(killed);
  expect_same(whole, killed);
}

TEST(Kill, SignalsSaveAndExitWith75) {
  if (!fs::exists(binary())) GTEST_SKIP() << "skipped: no program at " << binary();
  const auto folder = make_folder();
  const fs::path whole = folder->path() / "whole", stopped = folder->path() / "stopped";
  seconds_to_finish(whole);
  for (int signal : {SIGINT, SIGTERM}) {
    const pid_t child = start_training(stopped);
    const std::size_t before = fs::exists(stopped / "log.jsonl") ? losses_of(stopped).size() : 0;
    for (int i = 0;
         i < 2000 && (!fs::exists(stopped / "log.jsonl") || losses_of(stopped).size() < before + 3); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    kill(child, signal);
    const int status = wait_for(child);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 75) << text_of(stopped.string() + ".err");
  }
  seconds_to_finish(stopped);
  expect_same(whole, stopped);
}

}  // namespace
}  // namespace diffusion
