#include <diffusion/robustness.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <numeric>
#include <utility>

#include <diffusion/device.h>
#include <diffusion/error.h>
#include "base/rng.h"
#include "diffusion/model.h"
#include "eval/bootstrap.h"
#include "eval/feature_network.h"
#include "eval/image_sets.h"
#include "eval/paired_shares.h"
#include "eval/pgd.h"
#include "eval/purified_classifier.h"

namespace diffusion {

namespace {

using Use = NetworkEvaluator::Use;
using Derivative = PurifiedClassifier::Derivative;

constexpr std::array<std::string_view, 4> kAttackers{"classifier", "bpda", "exact", "fixed"};
// What may be recommended.
constexpr std::array kLevels{0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::vector<int> numbers_of_all(const Dataset& data) {
  std::vector<int> numbers(static_cast<std::size_t>(data.count()));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

// Of a gradient's draws, apart from those of every other iteration and from the defender's.
std::vector<std::uint64_t> seeds_of(std::uint64_t seed, int iteration, int draws) {
  std::vector<std::uint64_t> seeds;
  for (int draw = 0; draw < draws; ++draw) {
    const auto words =
        philox({seed, Stream::transform, std::uint32_t(iteration), std::uint32_t(draw) + 1}, 0);
    seeds.push_back(std::uint64_t{words[0]} << 32 | words[1]);
  }
  return seeds;
}

Score share_right(const std::vector<bool>& right) {
  const auto count = double(right.size());
  return share_of_trials(double(std::ranges::count(right, true)) / count, count);
}

void check_model_classes(const Model& model, const ClassifierConfig& classifier) {
  if (model.class_names.empty()) return;
  const auto numbers = class_numbers(model.class_names, classifier.class_names);
  if (!numbers || model.class_names.size() != classifier.class_names.size())
    throw Error(
        ErrorKind::usage,
        fmt::format("the model makes pictures of {}, and the classifier knows {}; accepted are two of "
                    "the same classes",
                    fmt::join(model.class_names, ", "), fmt::join(classifier.class_names, ", ")));
}

void check_model_form(const Model& model, const GenerateOptions& sampling, const Dataset& data) {
  const PictureSize size = size_of(model, sampling);
  if (size.channels != data.channels || size.height != data.height || size.width != data.width)
    throw Error(
        ErrorKind::usage,
        fmt::format("the pictures of {} are {} x {} of {} channels; accepted is the model's form, {} x "
                    "{} of {}",
                    data.name, data.height, data.width, data.channels, size.height, size.width,
                    size.channels));
}

// The two sides, ready to meet.
class Contest {
 public:
  Contest(const Model& model, const Classifier& classifier, const RobustnessOptions& options,
          const Device& device, const RobustnessWatch& watch)
      : model_(model), classifier_(classifier), options_(options), device_(device), watch_(watch) {}

  // Puts a purification before the classifier.
  void purify_from(double level, const Dataset& data, Use use) {
    PurifyOptions purify{options_.sampling, level};
    purify.sampling.count = data.count();
    purify.sampling.batch = options_.attack.batch;
    defended_.emplace(classifier_, model_, purify, device_, use);
  }

  // Which of these pictures are right: bytes of `data`, or what an attacker made of them.
  std::vector<bool> right(const Dataset& data, bool purified, std::string_view part) {
    std::vector<bool> result;
    for_each_batch(data, numbers_of_all(data), options_.attack.batch,
                   [&](const AttackedPictures& pictures, int) {
                     for (const bool one : right(pictures.x, pictures, purified)) result.push_back(one);
                     tell(part, double(result.size()) / data.count(), data.count());
                   });
    return result;
  }

  // `survives`, of all pictures of `data`, loses those that the attack makes wrong, `alone` likewise without
  // purification. Returns the seconds of the attack for each picture.
  double attack(Attacker attacker, const Dataset& data, std::vector<bool>& survives,
                std::vector<bool>& alone) {
    std::vector<int> numbers;
    for (const int k : numbers_of_all(data))
      if (survives[std::size_t(k)] || (attacker == Attacker::classifier && alone[std::size_t(k)]))
        numbers.push_back(k);
    double seconds = 0;
    for_each_batch(data, numbers, options_.attack.batch, [&](const AttackedPictures& pictures, int done) {
      const auto start = std::chrono::steady_clock::now();
      const std::vector<double> x =
          pgd(loss_of(attacker, pictures), pictures.x, pictures.numbers, options_.attack);
      seconds += seconds_since(start);
      keep_right(right(x, pictures, true), pictures.numbers, survives);
      if (attacker == Attacker::classifier) keep_right(right(x, pictures, false), pictures.numbers, alone);
      tell(to_string(attacker), double(done + int(pictures.numbers.size())) / double(numbers.size()),
           int(numbers.size()));
    });
    return numbers.empty() ? 0 : seconds / double(numbers.size());
  }

  int evaluations() const { return defended_->purification().evaluations(); }

 private:
  std::vector<bool> right(std::span<const double> x, const AttackedPictures& pictures, bool purified) {
    const std::vector<int> said = purified ? defended_->predict(x, pictures.numbers, options_.sampling.seed)
                                           : defended_->alone().predict(x);
    std::vector<bool> result;
    for (std::size_t k = 0; k < said.size(); ++k) result.push_back(said[k] == pictures.labels[k]);
    return result;
  }

  static void keep_right(const std::vector<bool>& right, std::span<const int> numbers,
                         std::vector<bool>& survives) {
    for (std::size_t k = 0; k < numbers.size(); ++k)
      if (!right[k]) survives[std::size_t(numbers[k])] = false;
  }

  AttackLoss loss_of(Attacker attacker, const AttackedPictures& pictures) {
    if (attacker == Attacker::classifier)
      return [&](std::span<const double> x, int, std::span<double> losses, std::span<double> gradient) {
        defended_->alone().evaluate(x, pictures.labels, losses, gradient);
      };
    return [&, attacker](std::span<const double> x, int iteration, std::span<double> losses,
                         std::span<double> gradient) {
      const std::vector<std::uint64_t> seeds =
          attacker == Attacker::fixed ? std::vector{options_.sampling.seed}
                                      : seeds_of(options_.attack.seed, iteration, options_.draws);
      defended_->evaluate(x, pictures, seeds,
                          attacker == Attacker::bpda ? Derivative::identity : Derivative::exact, losses,
                          gradient);
    };
  }

  void tell(std::string_view part, double share, int pictures) const {
    if (watch_) watch_(part, share, pictures);
  }

  const Model& model_;
  const Classifier& classifier_;
  const RobustnessOptions& options_;
  const Device& device_;
  const RobustnessWatch& watch_;
  std::optional<PurifiedClassifier> defended_;
};

// The highest level that is shown to cost little. Levels are tried from the lowest up, as far as the bound
// holds: so the error of 5% is that of the recommendation, however many levels there are, as a level counts
// only if those before it were right to pass (fixed sequence testing; Maurer et al. 1995).
void recommend(Contest& contest, const Model& model, const Dataset& data, Robustness& result) {
  std::vector<bool> alone;
  result.level_pictures = data.count();
  for (const double level : kLevels) {
    if (level <= model.preconditioner.sigma_min() || level > model.preconditioner.sigma_max()) continue;
    contest.purify_from(level, data, Use::values);
    if (alone.empty()) alone = contest.right(data, false, "classify");
    const std::vector<bool> purified = contest.right(data, true, fmt::format("level {}", level));
    result.levels.push_back({level, share_right(purified), share_lost(alone, purified)});
    result.level_alone = share_right(alone);
    if (result.levels.back().lost.interval.high > kRecommendedLoss) break;
    result.level = level;
    result.recommended = true;
  }
  if (result.recommended) return;
  const Robustness::LevelCost lowest =
      result.levels.empty() ? Robustness::LevelCost{} : result.levels.front();
  throw Error(
      ErrorKind::usage,
      fmt::format("no level is shown to cost at most {:.0f} points: of {} other pictures the lowest, {}, "
                  "loses {:.1f} points, and {:.1f} with 95% confidence; give a level",
                  100 * kRecommendedLoss, data.count(), lowest.level, 100 * lowest.lost.value,
                  100 * lowest.lost.interval.high),
      {"level"});
}

// Of fewer pictures not even none that is lost says enough.
void check_level_pictures(const Dataset& data) {
  constexpr int kFewest = 88;
  if (data.count() < kFewest)
    throw Error(ErrorKind::usage,
                fmt::format("a level is looked for on pictures that are not attacked, and there are {} of "
                            "them; accepted are {} or more (attack fewer), or give a level",
                            data.count(), kFewest),
                {"level"});
}

}  // namespace

std::string_view to_string(Attacker attacker) {
  return kAttackers.at(std::size_t(attacker));
}

Robustness evaluate_robustness(const Model& model, const std::string& classifier, const Dataset& data,
                               const Dataset& level_data, const RobustnessOptions& options,
                               const RobustnessWatch& watch) {
  check_attack(options.attack);
  if (options.draws < 1)
    throw Error(ErrorKind::usage, fmt::format("draws is {}; accepted is 1 or more", options.draws),
                {"draws"});
  const FeatureNetwork net = read_classifier(classifier);
  check_model_classes(model, net.classifier.config);
  const Dataset pictures = labeled_for(net.classifier.config, data);
  check_model_form(model, options.sampling, pictures);
  if (!options.level) check_level_pictures(level_data);
  const auto device = make_cpu_device(Precision::f32);
  Contest contest(model, net.classifier, options, *device, watch);
  Robustness result{.pictures = pictures.count()};
  if (options.level)
    result.level = *options.level;
  else
    recommend(contest, model, labeled_for(net.classifier.config, level_data), result);

  contest.purify_from(result.level, pictures, Use::products);
  result.evaluations = contest.evaluations();
  const std::vector<bool> clean_alone = contest.right(pictures, false, "classify");
  const auto start = std::chrono::steady_clock::now();
  const std::vector<bool> clean_purified = contest.right(pictures, true, "purify");
  result.purification_seconds = seconds_since(start) / pictures.count();
  result.clean_alone = share_right(clean_alone);
  result.clean_purified = share_right(clean_purified);
  std::vector<bool> strongest = clean_purified;
  for (const Attacker attacker : {Attacker::classifier, Attacker::bpda, Attacker::exact, Attacker::fixed}) {
    std::vector<bool> survives = clean_purified, alone = clean_alone;
    const double seconds = contest.attack(attacker, pictures, survives, alone);
    for (std::size_t k = 0; k < strongest.size(); ++k) strongest[k] = strongest[k] && survives[k];
    result.attacks.push_back({attacker, {}, share_right(survives), seconds});
    if (attacker == Attacker::classifier) result.attacks.back().alone = share_right(alone);
  }
  result.strongest = share_right(strongest);
  return result;
}

}  // namespace diffusion
