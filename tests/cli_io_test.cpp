// What the program makes of a file system that fails, through the real binary: exit code 4 with the path, and
// never a file that is not whole. tests/io_faults.sh tries every call; here are a few of each kind.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <string>

#include "cli_program.h"
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

}  // namespace
}  // namespace diffusion
