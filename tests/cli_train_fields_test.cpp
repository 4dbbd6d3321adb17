// The options of "train" and "distill" that set fields of a configuration, through the real binary.

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <set>
#include <string>

#include "cli_program.h"
#include "files/fs.h"
#include "support/scratch.h"
#include "train/config_fields.h"

namespace diffusion {
namespace {

using cli::Arguments;
using cli::expect_error;
using cli::run;
using Names = std::set<std::string>;

std::string option_of(const TrainField& field) {
  if (field.name == "learning_rate") return "--lr";
  if (field.name == "conditional") return "--unconditional";
  std::string option = "--" + std::string(field.name);
  std::ranges::replace(option, '_', '-');
  return option;
}

// The first name of each option in a help text.
Names options_in(const std::string& help) {
  const std::regex option("(^|\n)  (--[a-z-]+)");
  Names names;
  for (std::sregex_iterator at(help.begin(), help.end(), option), end; at != end; ++at)
    names.insert((*at)[2]);
  return names;
}

// Options that set no field alone: where, what, talk; those of data that other commands have, too; and parts
// of the network and of tuning.
const Names kOthers{"--data",
                    "--out",
                    "--preset",
                    "--from",
                    "--json",
                    "--quiet",
                    "--data-dir",
                    "--offline",
                    "--size",
                    "--channels",
                    "--background",
                    "--random-crop",
                    "--shards",
                    "--shard",
                    "--workers",
                    "--max-broken",
                    "--dropout",
                    "--stages",
                    "--captions",
                    "--caption-column",
                    "--max-uncaptioned",
                    "--held-out-list",
                    "--audio",
                    "--series",
                    "--horizon",
                    "--season",
                    "--context",
                    "--task",
                    "--text-encoder",
                    "--patience",
                    "--comm-timeout"};

void expect_fields(const std::string& command, auto is_option) {
  const std::string help = run({command, "--help"}).out;
  Names found = options_in(help), fields;
  for (const std::string& other : kOthers) found.erase(other);
  for (const TrainField& field : train_fields()) {
    if (!is_option(field)) continue;
    fields.insert(option_of(field));
    EXPECT_NE(help.find(field.help.substr(0, field.help.find('\n'))), std::string::npos) << field.name;
  }
  EXPECT_EQ(found, fields);
}

TEST(CliTrainFields, OptionsAreTheFieldsThatAPersonSets) {
  expect_fields("train", [](const TrainField& field) { return !field.group.empty(); });
  expect_fields("distill", [](const TrainField& field) {
    return !field.group.empty() && field.use == FieldUse::always;
  });
}

TEST(CliTrainFields, ErrorsNameTheOption) {
  const scratch::Folder folder;
  const std::string out = (folder / "run").string();
  const auto refuses = [&](const std::string& option, const std::string& value,
                           const std::vector<std::string>& words) {
    expect_error(2, {"train", "--preset", "tiny", "--data", "shapes", "--out", out, option, value}, words);
    EXPECT_FALSE(std::filesystem::exists(out)) << option;
  };
  for (const TrainField& field : train_fields()) {
    if (field.group.empty()) continue;
    if (std::holds_alternative<NumberRange>(field.accepted))
      refuses(option_of(field), "-1", {option_of(field)});
    if (std::holds_alternative<FieldNames>(field.accepted))
      refuses(option_of(field), "Mse", {std::string(field.name), "\"Mse\"", option_of(field)});
  }
  refuses("--lr", "-1", {"learning_rate is -1; accepted is a positive number (--lr)"});
  refuses("--seed", "9223372036854775808", {"seed is 9223372036854775808", "(--seed)"});
  refuses("--accumulate", "5", {"accumulate is 5", "a divisor of the batch, 32 (--accumulate)"});
}

TEST(CliTrainFields, WhatWasGivenIsInTheRun) {
  const scratch::Folder folder;
  const std::string out = (folder / "run").string();
  const Arguments command{"train", "--preset", "tutorial", "--data",    "shapes",      "--shards",
                          "500",   "--size",   "8",        "--out",     out,           "--steps",
                          "1",     "--batch",  "4",        "--no-flip", "--loss",      "l1",
                          "--lr",  "0.5",      "--seed",   "17",        "--drop-last", "--preview-every",
                          "0",     "--weight", "min_snr",  "--quiet"};
  EXPECT_EQ(run(command).code, 0);
  const Json state = parse_json(
      read_text_file(std::filesystem::path(out) / "latest/training/state.json", 1 << 20), "state.json");
  const Json& config = member(state, "config", "state.json");
  const Json expected = Json::Object{
      {"batch", 4},        {"flip", false},       {"loss", "l1"}, {"learning_rate", 0.5}, {"seed", 17},
      {"drop_last", true}, {"weight", "min_snr"}, {"clip", 0.0},  {"conditional", false}};  // of the preset
  for (const auto& [name, value] : to_object(expected, "json"))
    EXPECT_EQ(member(config, name, "config"), value);
}

}  // namespace
}  // namespace diffusion
