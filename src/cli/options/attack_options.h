#pragma once

// The options of attacks, and the pictures that are attacked.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include <diffusion/robustness.h>
#include "cli/options/options.h"
#include "data/registry.h"

namespace diffusion {

struct AttackArguments {
  std::string eps = "8/255", norm = "linf";
  int steps = AttackOptions{}.steps;
};

// --eps, --norm and the number of steps, whose option has this name.
void add_attack_options(CLI::App& app, AttackArguments& arguments, const std::string& steps);

// Error(usage) for what is out of range.
AttackOptions attack_options(const AttackArguments& arguments, std::uint64_t seed, int batch);

// CLASSIFIER or --classifier, for read_classifier(); required.
CLI::Option* add_classifier_option(CLI::App& app, const std::string& name, std::string& classifier);

// make_device(), in f32. Error(usage) if another precision was chosen.
std::shared_ptr<const Device> make_attack_device(const MachineOptions& machine);

struct AttackedData {
  std::string data, data_dir, split = "test";
  int count = 512;
  bool offline = false;
};

// --data, --split, --count, --data-dir and --offline.
void add_attacked_data_options(CLI::App& app, AttackedData& data);

// `count` pictures of the data and, of what is left, at most kLevelPictures others; chosen by the seed.
// Error(usage) if there are fewer than `count`.
struct AttackedSets {
  Dataset pictures, others;
};
AttackedSets read_attacked(const AttackedData& data, std::uint64_t seed);

}  // namespace diffusion
