#pragma once

// How far a classifier can be misled by changes of pictures that nobody sees, and what purification by a
// model does about it. What is measured is what these attacks reach; a better one may reach more, so nothing
// here is a guarantee of security.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <diffusion/dataset.h>
#include <diffusion/evaluate.h>
#include <diffusion/image.h>
#include <diffusion/purify.h>

namespace diffusion {

// The size of a change: its largest number, or the root of the sum of its squares over the whole picture.
enum class AttackNorm { linf, l2 };
std::string_view to_string(AttackNorm norm);
AttackNorm parse_attack_norm(std::string_view name);  // Error(usage) listing the names

// Projected gradient ascent of the cross-entropy (Madry et al. 2018, arXiv 1706.06083), from a random place
// of the ball around the picture, with steps of 2.5 eps / steps; the result is where the loss was largest.
struct AttackOptions {
  AttackNorm norm = AttackNorm::linf;
  double eps = 8.0 / 255;  // in (0, 1], pixels being from 0 to 1
  int steps = 20;
  std::uint64_t seed = 0;
  int batch = 64;  // pictures in flight
};

// Error(usage) naming the field and what is accepted.
void check_attack(const AttackOptions& options);

// The pictures of `data`, which must have labels, changed so that a classifier errs: one by name or directory
// as evaluate_images() has it. Rounded towards the original, so they stay in the ball. Picture k of a seed is
// the same bytes in any batch. Error(usage) for data of another form, or with other classes than the
// classifier's; `progress` is told the share that is done.
std::vector<Image> attack(const std::string& classifier, const Dataset& data, const AttackOptions& options,
                          const std::function<void(double share)>& progress = {});

struct RobustnessOptions {
  // sampling: recipe, seed and label; batch is that of the attack. None: no level, and the recommended one is
  // looked for.
  GenerateOptions sampling = {};
  std::optional<double> level = {};
  AttackOptions attack = {};
  int draws = 8;  // of the process's noise for a gradient (EOT, Athalye et al. 2018, arXiv 1707.07397)
};

// Who attacks, and what they know. All but `classifier` go for classifier and purification together.
//   classifier  the classifier alone
//   bpda        the purification taken for the identity in gradients (BPDA, Athalye et al. 2018, arXiv
//               1802.00420), the mean of several draws of its noise
//   exact       the gradient through the whole process, the mean of several draws
//   fixed       the same, knowing the noise that will be drawn
enum class Attacker { classifier, bpda, exact, fixed };
std::string_view to_string(Attacker attacker);

// Shares of pictures that the classifier gets right.
struct Robustness {
  int pictures = 0;
  double level = 0;
  bool recommended = false;  // the level was looked for
  int evaluations = 0;       // of the model, to purify a picture

  // Of pictures that were not used for anything else: what a level costs, from the lowest to the first that
  // may cost too much.
  struct LevelCost {
    double level = 0;
    Score purified = {};
    Score lost = {};  // how much smaller that share is than without purification, picture by picture
  };
  std::vector<LevelCost> levels = {};
  int level_pictures = 0;
  Score level_alone = {};  // of the same without purification

  Score clean_alone = {}, clean_purified = {};  // of pictures that nobody attacked
  struct Attacked {
    Attacker attacker;
    // Of pictures that were right before they were attacked, and still are.
    std::optional<Score> alone = {};  // without purification, for `classifier`
    Score purified = {};
    double seconds = 0;  // for each picture that was attacked
  };
  std::vector<Attacked> attacks = {};  // in the order of Attacker
  Score strongest = {};                // right whichever attack: with purification
  double purification_seconds = 0;     // for each picture
};

// The highest level at which clean pictures lose at most 3 points with 95% confidence is recommended: where
// the upper end of Robustness::LevelCost::lost is not above it, there and at every lower level. So many
// pictures tell 2.3 points from 3.
inline constexpr double kRecommendedLoss = 0.03;
inline constexpr int kLevelPictures = 4096;

using RobustnessWatch = std::function<void(std::string_view part, double share, int pictures)>;

// Of all pictures of `data`; if the level is to be looked for, of `level_data`, which should be others, that
// the classifier has not learned from, about kLevelPictures. Results are those of the CPU in f32.
// Error(usage) if model, classifier and data do not go together (forms, classes), and if no level can be
// recommended.
Robustness evaluate_robustness(const Model& model, const std::string& classifier, const Dataset& data,
                               const Dataset& level_data, const RobustnessOptions& options,
                               const RobustnessWatch& watch = {});

}  // namespace diffusion
