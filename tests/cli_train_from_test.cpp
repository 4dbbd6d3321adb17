// `diffusion train --from MODEL` through the real binary.

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "cli_program.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

using cli::Arguments, cli::Outcome, cli::run, cli::json_of, cli::expect_error;

class CliTrainFrom : public ::testing::Test {
 protected:
  std::string file(const std::string& name) const { return (folder_.path() / name).string(); }

  Arguments train(const std::string& out, const Arguments& more) const {
    Arguments all{"train", "--data",  "shapes",  "--size",          "8", "--shards", "500", "--batch", "8",
                  "--out", file(out), "--quiet", "--preview-every", "0", "--json"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  scratch::Folder folder_;
};

TEST_F(CliTrainFrom, GoesOnFromAModelAndResumes) {
  EXPECT_EQ(run(train("first", {"--preset", "tiny", "--objective", "edm", "--steps", "3"})).code, 0);
  const Arguments further{"--from", file("first"), "--preset", "tiny", "--dropout", "0.1"};
  const auto to_step = [&](const std::string& steps) {
    Arguments more = further;
    more.insert(more.end(), {"--steps", steps});
    return run(train("further", more));
  };
  EXPECT_EQ(member(json_of(to_step("2")), "step", "json"), Json(2));
  const Outcome resumed = to_step("4");
  EXPECT_EQ(member(json_of(resumed), "step", "json"), Json(4));
  EXPECT_NE(resumed.err.find("resuming"), std::string::npos) << resumed.err;
  EXPECT_EQ(member(json_of(run({"info", file("further"), "--json"})), "objective", "json"), Json("edm"));
}

TEST_F(CliTrainFrom, WhatDoesNotFitIsRefused) {
  EXPECT_EQ(run(train("first", {"--preset", "tiny", "--steps", "2"})).code, 0);
  const auto refuses = [&](int code, const Arguments& more, const std::vector<std::string>& words) {
    Arguments all{"--from", file("first"), "--steps", "1"};
    all.insert(all.end(), more.begin(), more.end());
    expect_error(code, train("refused", all), words);
    EXPECT_FALSE(std::filesystem::exists(file("refused")));
  };
  const auto option = [&](const Arguments& given) {
    refuses(2, given, {given[0], "cannot be given with --from", "its own"});
  };
  option({"--objective", "v"});
  option({"--schedule", "cosine"});
  option({"--timesteps", "10"});
  option({"--beta-start", "0.1"});
  option({"--beta-end", "0.1"});
  option({"--unconditional"});
  refuses(2, {"--channels", "3"}, {"8x8x1", "8x8x3"});
  expect_error(3, train("refused", {"--from", file("nothing"), "--steps", "1"}),
               {"nothing", "does not exist"});

  // A run without --from is not continued with it, and the other way round.
  expect_error(2, train("first", {"--preset", "tiny", "--from", file("first"), "--steps", "3"}),
               {"other settings", "start (absent there"});
  EXPECT_EQ(run(train("further", {"--preset", "tiny", "--from", file("first"), "--steps", "1"})).code, 0);
  expect_error(2, train("further", {"--preset", "tiny", "--steps", "1"}), {"start (", "absent here"});
}

}  // namespace
}  // namespace diffusion
