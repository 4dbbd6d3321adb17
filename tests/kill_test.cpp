// A training run that is killed again and again ends with the same bytes as one that never was.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/rng.h"
#include "formats/json.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kSteps = 240, kSaveEvery = 12;

fs::path binary() {
  if (const char* path = std::getenv("DIFFUSION_BINARY")) return path;
  return fs::read_symlink("/proc/self/exe").parent_path() / "diffusion";
}

// Runs live in memory where that is possible: flushing dozens of checkpoints to a slow disk would take
// minutes.
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
        out.c_str(), "--steps", std::to_string(kSteps).c_str(), "--batch", "8", "--save-every",
        std::to_string(kSaveEvery).c_str(), "--seed", "5", "--threads", "2", "--quiet", nullptr);
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

void finish(const fs::path& run) {
  const int status = wait_for(start_training(run));
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << text_of(run.string() + ".err");
}

std::int64_t logged_steps(const fs::path& run) {
  const std::string log = text_of(run / "log.jsonl");
  return std::ranges::count(log, '\n');
}

// Waits until `steps` steps are logged. False if the program ended before; it has been waited for then.
bool wait_for_steps(pid_t child, const fs::path& run, std::int64_t steps) {
  while (logged_steps(run) < steps) {
    if (waitpid(child, nullptr, WNOHANG) == child) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

void expect_same(const fs::path& a, const fs::path& b) {
  for (const char* file : {"unet/diffusion_pytorch_model.safetensors", "training/state.safetensors"}) {
    ASSERT_FALSE(text_of(a / "latest" / file).empty()) << file;
    EXPECT_TRUE(text_of(a / "latest" / file) == text_of(b / "latest" / file)) << file << " differs";
  }
  EXPECT_EQ(losses_of(a).size(), std::size_t(kSteps));
  EXPECT_EQ(losses_of(a), losses_of(b));
}

TEST(Kill, TwentyKillsAtRandomMomentsChangeNothing) {
  if (!fs::exists(binary())) GTEST_SKIP() << "skipped: no program at " << binary();
  const auto folder = make_folder();
  const fs::path whole = folder->path() / "whole", killed = folder->path() / "killed";
  finish(whole);

  // Moments are counted in steps and a few milliseconds more, so that they fall into start-up, steps and
  // checkpoints alike however busy the machine is. What was logged and not saved counts at once: those kills
  // hit the start.
  int kills = 0;
  for (std::uint32_t attempt = 0; kills < 20; ++attempt) {
    ASSERT_LT(attempt, 100u) << "the runs end before they are killed";
    const auto random = [&](std::uint32_t sample) { return uniform({11, Stream::shuffle, sample, attempt}); };
    const std::int64_t saved = logged_steps(killed) / kSaveEvery * kSaveEvery;
    const pid_t child = start_training(killed);
    if (wait_for_steps(child, killed, saved + std::int64_t(2 * kSaveEvery * random(0)))) {
      std::this_thread::sleep_for(std::chrono::duration<double>(0.02 * random(1)));
      kill(child, SIGKILL);
      if (WIFSIGNALED(wait_for(child))) ++kills;
    }
    if (logged_steps(killed) > kSteps - 3 * kSaveEvery) {
      finish(killed);
      expect_same(whole, killed);
      fs::remove_all(killed);
    }
  }
  finish(killed);
  expect_same(whole, killed);
}

TEST(Kill, SignalsSaveAndExitWith75) {
  if (!fs::exists(binary())) GTEST_SKIP() << "skipped: no program at " << binary();
  const auto folder = make_folder();
  const fs::path whole = folder->path() / "whole", stopped = folder->path() / "stopped";
  finish(whole);
  for (int signal : {SIGINT, SIGTERM}) {
    const pid_t child = start_training(stopped);
    ASSERT_TRUE(wait_for_steps(child, stopped, logged_steps(stopped) + 3))
        << text_of(stopped.string() + ".err");
    kill(child, signal);
    const int status = wait_for(child);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 75) << text_of(stopped.string() + ".err");
  }
  finish(stopped);
  expect_same(whole, stopped);
}

}  // namespace
}  // namespace diffusion
