#include "cli/options/attack_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <numeric>
#include <optional>
#include <string_view>
#include <vector>

#include <diffusion/error.h>
#include "cli/options/options.h"
#include "eval/evaluation_sets.h"
#include "eval/image_sets.h"

namespace diffusion {

namespace {

std::optional<double> number_of(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// A number or a fraction: 0.03, 8/255.
double parse_eps(const std::string& text) {
  const std::size_t slash = text.find('/');
  const std::optional<double> above = number_of(std::string_view(text).substr(0, slash)),
                              below = slash == std::string::npos
                                          ? 1.0
                                          : number_of(std::string_view(text).substr(slash + 1));
  const double eps = above && below ? *above / *below : std::numeric_limits<double>::quiet_NaN();
  if (!(eps > 0 && eps <= 1))
    throw Error(
        ErrorKind::usage,
        fmt::format("--eps is \"{}\"; accepted is more than 0 and at most 1, pixels being from 0 to 1, "
                    "as a number or as a fraction (8/255)",
                    text));
  return eps;
}

}  // namespace

void add_attack_options(CLI::App& app, AttackArguments& o, const std::string& steps) {
  const char* group = "Attack";
  app.add_option("--eps", o.eps,
                 "Size of the change, pixels being from 0 to 1: a number or a fraction, above 0, at most 1")
      ->type_name("E")
      ->capture_default_str()
      ->group(group);
  app.add_option(
         "--norm", o.norm,
         "linf: no pixel changes by more than that;\nl2: the root of the sum of squares over the picture")
      ->type_name("NAME")
      ->capture_default_str()
      ->group(group);
  app.add_option(steps, o.steps, "Steps of projected gradient ascent")
      ->check(in_range(1, std::numeric_limits<int>::max()))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
}

AttackOptions attack_options(const AttackArguments& o, std::uint64_t seed, int batch) {
  return {.norm = parse_attack_norm(o.norm),
          .eps = parse_eps(o.eps),
          .steps = o.steps,
          .seed = seed,
          .batch = batch};
}

CLI::Option* add_classifier_option(CLI::App& app, const std::string& name, std::string& classifier) {
  return app
      .add_option(
          name, classifier,
          "Directory of diffusion train-features, or the name of a data set for which one\ncomes with "
          "the program (fashion-mnist)")
      ->required();
}

std::shared_ptr<const Device> make_attack_device(const MachineOptions& machine) {
  if (machine.precision != "auto" && machine.precision != "f32")
    throw Error(ErrorKind::usage,
                fmt::format("--precision is {}; attacks are computed in f32", machine.precision));
  return make_device({machine.threads, "f32"});
}

void add_attacked_data_options(CLI::App& app, AttackedData& o) {
  app.add_option("--data", o.data,
                 "Labeled pictures: a data set by name, or a folder with a sub-folder a class")
      ->type_name("DATA");
  app.add_option("--split", o.split, "Which of them: test or train")
      ->type_name("SPLIT")
      ->capture_default_str();
  app.add_option("-n,--count", o.count, "Pictures to attack, at random")
      ->check(in_range(1, std::numeric_limits<int>::max()))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--data-dir", o.data_dir,
                 "Where to look for the data instead of DIFFUSION_DATA_DIR and the cache")
      ->type_name("DIR");
  app.add_flag("--offline", o.offline, "Never fetch data from the network");
}

AttackedSets read_attacked(const AttackedData& o, std::uint64_t seed) {
  DataOptions source;
  source.data_dir = o.data_dir;
  source.allow_download = !o.offline;
  const Dataset all = read_real_sets(o.data, o.split, source, std::nullopt).images;
  if (o.count > all.count())
    throw Error(ErrorKind::usage,
                fmt::format("--count is {}; {} has {} pictures", o.count, o.data, all.count()));
  const std::int64_t both = std::min<std::int64_t>(std::int64_t(o.count) + kLevelPictures, all.count());
  const Dataset chosen = random_images(all, int(both), seed);
  std::vector<int> numbers(static_cast<std::size_t>(both));
  std::iota(numbers.begin(), numbers.end(), 0);
  const std::span<const int> first(numbers.data(), std::size_t(o.count));
  return {some_images(chosen, first), some_images(chosen, std::span(numbers).subspan(std::size_t(o.count)))};
}

}  // namespace diffusion
