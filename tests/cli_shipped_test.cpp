// Models that come with the program, by name and by default.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "cli_program.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;
using cli::run, cli::json_of, cli::expect_error;

class CliShipped : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_ / "models");
    ::setenv("DIFFUSION_MODELS_DIR", (folder_ / "models").c_str(), 1);
    before_ = fs::current_path();
    fs::current_path(folder_.path());
  }
  void TearDown() override {
    fs::current_path(before_);
    ::unsetenv("DIFFUSION_MODELS_DIR");
  }
  void ship(const std::string& name, std::uint64_t seed) {
    cli::write_model(folder_ / "models" / name, cli::tiny_model({.seed = seed}));
  }
  scratch::Folder folder_;
  fs::path before_;
};

TEST_F(CliShipped, SampleNeedsNoArgument) {
  ship("fashion-mnist", 7);
  ASSERT_EQ(run({"sample", "-n", "2", "--steps", "2", "--quiet"}).code, 0);
  EXPECT_TRUE(fs::exists("samples.png"));
}

TEST_F(CliShipped, AModelIsKnownByItsName) {
  ship("other", 7);
  const Json result = json_of(run({"sample", "other", "-n", "1", "--steps", "1", "--quiet", "--json"}));
  EXPECT_EQ(to_string(*result.find("model"), "model"), "other");
  EXPECT_EQ(run({"verify", "other"}).code, 0);
  const std::string facts = run({"info", "other"}).out;
  EXPECT_NE(facts.find("other (" + fs::canonical(folder_ / "models" / "other").string() + ")"),
            std::string::npos)
      << facts;
}

TEST_F(CliShipped, WhatIsInTheWorkingDirectoryComesFirst) {
  ship("other", 7);
  fs::create_directories("other");
  expect_error(3, {"info", "other"}, {"other holds no model"});
}

TEST_F(CliShipped, OnlyANameIsLookedUp) {
  ship("other", 7);
  expect_error(3, {"info", "./other"}, {"./other does not exist"});
  expect_error(3, {"info", "../models/other"}, {"../models/other does not exist"});
}

TEST_F(CliShipped, SaysThatNoneIsThere) {
  expect_error(3, {"sample", "--quiet"}, {"fashion-mnist does not exist", "comes with the program"});
  EXPECT_FALSE(fs::exists("samples.png"));
}

}  // namespace
}  // namespace diffusion
