#include "cli_program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "diffusers/pipeline.h"
#include "diffusers/scheduler_config.h"
#include "files/fs.h"
#include "support/scratch.h"

namespace diffusion::cli {

namespace fs = std::filesystem;

fs::path program() {
  if (const char* given = std::getenv("DIFFUSION_BINARY")) return given;
  return fs::read_symlink("/proc/self/exe").parent_path() / "diffusion";
}

Outcome run(const Arguments& arguments, const std::string& stdout_file) {
  const scratch::Folder folder;
  const std::string out = stdout_file.empty() ? (folder / "out").string() : stdout_file;
  const std::string err = (folder / "err").string(), binary = program().string();
  std::vector<char*> argv{const_cast<char*>("diffusion")};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);

  const pid_t child = ::fork();
  if (child == 0) {
    // Threads that spin are slow where other tests want the cores, too.
    ::setenv("OMP_WAIT_POLICY", "passive", 1);
    constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC;
    ::dup2(::open("/dev/null", O_RDONLY), STDIN_FILENO);
    ::dup2(::open(out.c_str(), kFlags, 0600), STDOUT_FILENO);
    ::dup2(::open(err.c_str(), kFlags, 0600), STDERR_FILENO);
    ::execv(binary.c_str(), argv.data());
    ::_exit(127);
  }
  int status = 0;
  rusage usage{};
  ::wait4(child, &status, 0, &usage);
  Outcome outcome;
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  if (stdout_file.empty()) outcome.out = read_text_file(out, 1 << 24);
  outcome.err = read_text_file(err, 1 << 24);
  outcome.cpu_seconds = double(usage.ru_utime.tv_sec) + double(usage.ru_utime.tv_usec) / 1e6;
  return outcome;
}

Json json_of(const Outcome& outcome) {
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out.find('\n'), outcome.out.size() - 1) << "one line";
  return parse_json(outcome.out, "stdout");
}

void expect_error(int code, const Arguments& arguments, const std::vector<std::string>& words) {
  const Outcome outcome = run(arguments);
  const std::string command = fmt::format("{}", fmt::join(arguments, " "));
  EXPECT_EQ(outcome.code, code) << command << "\n" << outcome.err;
  EXPECT_EQ(outcome.out, "") << command;
  EXPECT_TRUE(outcome.err.starts_with("diffusion")) << command << "\n" << outcome.err;
  for (const std::string& word : words)
    EXPECT_NE(outcome.err.find(word), std::string::npos) << command << ": no '" << word << "' in\n"
                                                         << outcome.err;
}

Model tiny_model(const TinyModel& options) {
  UNetConfig c;
  c.sample_size = {8, 8};
  c.in_channels = c.out_channels = options.channels;
  c.block_out_channels = {8, 16};
  c.down_block_attention = c.up_block_attention = {false, false};
  c.layers_per_block = 1;
  c.norm_num_groups = 4;
  c.attention_head_dim = 8;
  c.class_embed_type = ClassEmbedding::table;
  c.num_class_embeds = options.guidance ? 4 : 3;
  ParamStore params(layout_of(c));
  params.initialize(options.seed);
  Model model{c,
              options.preconditioner,
              {"Alpha", "beta", "gamma ray"},
              {},
              sampling_of_new_model(options.preconditioner, true),
              std::move(params)};
  if (options.guidance) model.null_class = 3;
  return model;
}

void write_model(const fs::path& directory, const Model& model) {
  fs::create_directories(directory);
  write_pipeline(directory, model, model.params.values());
}

// The rest are tests of this file itself.
namespace {

TEST(CliProgram, IsThere) {
  EXPECT_TRUE(fs::exists(program())) << program()
                                     << ": build the target diffusion_cli or set DIFFUSION_BINARY";
}

TEST(CliProgram, OutcomesTellCodeAndBothStreams) {
  const Outcome good = run({"--version"}), bad = run({"nonsense"});
  EXPECT_EQ(good.code, 0);
  EXPECT_NE(good.out, "");
  EXPECT_EQ(good.err, "");
  EXPECT_EQ(bad.code, 2);
  EXPECT_EQ(bad.out, "");
  EXPECT_NE(bad.err, "");
}

}  // namespace

}  // namespace diffusion::cli
