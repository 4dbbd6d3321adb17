// What the program makes of a file system that fails, through the real binary: exit code 4 with the path, and
// never a file that is not whole. tests/io_faults.sh tries every call; here are a few of each kind.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include <diffusion/image.h>
#include <diffusion/picture_files.h>
#include "cli_program.h"
#include "diffusion/param_layout.h"
#include "files/fs.h"
#include "formats/npy.h"
#include "plan/param_store.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;
using cli::Arguments, cli::Outcome, cli::run, cli::expect_error, cli::program;

class CliIo : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_TRUE(fs::exists(program())) << "build the target diffusion_cli or set DIFFUSION_BINARY";
  }
  void SetUp() override { cli::write_model(file("model"), cli::tiny_model()); }
  // The same weights for larger images.
  // Its images are large, but where it attends there are few pixels.
  void write_large_model() const {
    Model large = cli::tiny_model();
    auto& unet = std::get<UNetConfig>(large.network);
    unet.sample_size = {256, 256};
    unet.block_out_channels = {4, 4, 4, 4, 8};
    unet.down_block_attention = unet.up_block_attention = {false, false, false, false, false};
    large.params = ParamStore(layout_of(unet));
    large.params.initialize(1);
    cli::write_model(file("large"), large);
  }
  std::string file(std::string_view name) const { return (folder_ / name).string(); }
  Arguments training(const std::string& run_folder) const {
    return {"train",    "--data",  "shapes", "--preset",        "tiny", "--out",
            run_folder, "--steps", "3",      "--batch",         "2",    "--save-every",
            "1",        "--keep",  "1",      "--preview-every", "0",    "--quiet"};
  }
  const scratch::Folder folder_;
};

// Runs the program with call number `at` of the C library's `call` below `under` failing for `reason`.
Outcome run_failing(const Arguments& arguments, const std::string& under, const char* call, int at,
                    int reason) {
  const std::string library =
      (fs::read_symlink("/proc/self/exe").parent_path() / "libfailing_calls.so").string();
  const std::pair<const char*, std::string> variables[] = {
      {"FAIL_UNDER", under},           {"FAIL_CALL", call},
      {"FAIL_AT", std::to_string(at)}, {"FAIL_ERRNO", std::to_string(reason)},
      {"LD_PRELOAD", library},         {"ASAN_OPTIONS", "verify_asan_link_order=0"}};
  for (const auto& [name, value] : variables) ::setenv(name, value.c_str(), 1);
  const Outcome outcome = run(arguments);
  for (const auto& [name, value] : variables) ::unsetenv(name);
  EXPECT_NE(outcome.err.find("failed " + std::string(call)), std::string::npos) << call << " " << at;
  return outcome;
}

TEST_F(CliIo, FailingCallsOfATrainingAreExit4) {
  struct {
    const char* call;
    int at, reason;
  } const cases[] = {{"mkdir", 2, EACCES}, {"mkdir", 4, ENOSPC}, {"symlink", 1, EPERM}, {"symlink", 2, EPERM},
                     {"rename", 2, EIO},   {"fsync", 3, EIO},    {"openat", 2, EIO},    {"readdir", 3, EIO}};
  int number = 0;
  for (const auto& c : cases) {
    const std::string run_folder = file("run" + std::to_string(++number));
    const Outcome outcome = run_failing(training(run_folder), run_folder, c.call, c.at, c.reason);
    EXPECT_EQ(outcome.code, 4) << c.call << " " << c.at << "\n" << outcome.err;
    EXPECT_NE(outcome.err.find("diffusion train: Cannot "), std::string::npos) << outcome.err;
    EXPECT_NE(outcome.err.find(run_folder), std::string::npos) << outcome.err;
    EXPECT_EQ(run(training(run_folder)).code, 0) << c.call << " " << c.at;
    EXPECT_EQ(fs::read_symlink(run_folder + "/latest"), "checkpoints/step-000000003");
  }
}

TEST_F(CliIo, OldCheckpointThatCannotBeRemovedIsNoReasonToStop) {
  const Outcome outcome = run_failing(training(file("run")), file("run"), "unlinkat", 1, EIO);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("Cannot remove " + file("run/checkpoints/step-000000001")), std::string::npos)
      << outcome.err;
  EXPECT_TRUE(fs::exists(file("run/latest/manifest.json")));
}

TEST_F(CliIo, NewestCheckpointIsTakenWhenTheLinkStayedBehind) {
  EXPECT_EQ(run_failing(training(file("run")), file("run"), "symlink", 2, EPERM).code, 4);
  ASSERT_EQ(fs::read_symlink(file("run/latest")), "checkpoints/step-000000001");
  for (const char* model : {"run", "run/latest"}) {
    const Outcome outcome = run({"info", file(model), "--json"});
    EXPECT_EQ(to_int(member(member(cli::json_of(outcome), "training", "info"), "step", "info"), "step"), 2);
    EXPECT_NE(outcome.err.find("step-000000002"), std::string::npos) << outcome.err;
  }
}

// Runs the program with a limit on the size of files, and with SIGXFSZ as it comes.
Outcome run_limited(const Arguments& arguments, rlim_t bytes) {
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit limited{bytes, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &limited);
  const Outcome outcome = run(arguments);
  ::setrlimit(RLIMIT_FSIZE, &before);
  return outcome;
}

TEST_F(CliIo, LimitOnFileSizesIsExit4) {
  const Outcome training_outcome = run_limited(training(file("run")), 100'000);
  EXPECT_EQ(training_outcome.code, 4) << training_outcome.err;
  EXPECT_NE(training_outcome.err.find("File too large"), std::string::npos) << training_outcome.err;
  const Outcome outcome =
      run_limited({"sample", file("model"), "-n", "200", "--steps", "1", "-o", file("s.npy")}, 5000);
  EXPECT_EQ(outcome.code, 4) << outcome.err;
  EXPECT_EQ(folder_.files(), (std::vector<std::string>{"model", "run"}));
}

TEST_F(CliIo, ArraysLargerThanTheDiskAreRefusedBeforeTheWork) {
  write_large_model();
  for (const Arguments& more : {Arguments{"-o", file("s.npy")}, {"-o", file("s"), "--raw", file("s.npy")}}) {
    Arguments all{"sample", file("large"), "-n", "2147483647", "--steps", "1000"};
    all.insert(all.end(), more.begin(), more.end());
    expect_error(4, all, {file("s.npy"), "GB"});
  }
  EXPECT_EQ(folder_.files(), (std::vector<std::string>{"large", "model"}));
}

// More than are kept in memory.
TEST_F(CliIo, ImagesOfManyPartsAreThoseOfOne) {
  write_large_model();
  const auto sample = [&](const Arguments& more) {
    Arguments all{"sample", file("large"), "--steps", "1", "--first", "3", "--batch", "2", "--quiet"};
    all.insert(all.end(), more.begin(), more.end());
    const Outcome outcome = run(all);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  };
  sample({"-n", "19", "-o", file("many.npy"), "--raw", file("many_raw.npy")});
  sample({"-n", "19", "-o", file("many")});
  sample({"-n", "19", "-o", file("grid.png"), "--raw", file("one_raw.npy"), "--scale", "1"});
  EXPECT_EQ(read_npy_float32(file("many_raw.npy")).data, read_npy_float32(file("one_raw.npy")).data);
  const NpyArray<std::uint8_t> many = read_npy_uint8(file("many.npy"));
  EXPECT_EQ(many.dims, (std::vector<std::int64_t>{19, 256, 256, 1}));
  for (const std::size_t k : {0u, 17u, 18u}) {
    const Image picture = read_image(file(fmt::format("many/{:06}.png", 3 + k)));
    EXPECT_TRUE(std::ranges::equal(picture.pixels, std::span(many.data).subspan(k << 16, 1 << 16))) << k;
  }
}

TEST_F(CliIo, PicturesAreAddedToAFolderThatExists) {
  for (const char* first : {"0", "2"})
    EXPECT_EQ(
        run({"sample", file("model"), "-n", "2", "--first", first, "--steps", "1", "-o", file("p")}).code, 0);
  int pictures = 0;
  for (const auto& entry : fs::directory_iterator(file("p"))) pictures += entry.path().extension() == ".png";
  EXPECT_EQ(pictures, 4);
}

TEST_F(CliIo, StoppedSamplingLeavesNoFile) {
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string binary = program().string(), model = file("model"), out = file("s.npy");
    if (!std::freopen("/dev/null", "w", stderr)) ::_exit(127);
    ::execl(binary.c_str(), "diffusion", "sample", model.c_str(), "-n", "1000000", "--batch", "4", "-o",
            out.c_str(), nullptr);
    ::_exit(127);
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (folder_.files().size() < 2 && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(folder_.files().size(), 2u) << "nothing is written as it comes";
  ::kill(child, SIGINT);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 130) << status;
  EXPECT_EQ(folder_.files(), std::vector<std::string>{"model"});
}

}  // namespace
}  // namespace diffusion
