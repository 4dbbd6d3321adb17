#include "cli/output/robustness_report.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

#include "cli/options/options.h"

namespace diffusion {

namespace {

constexpr std::string_view kNoGuarantee =
    "These are the attacks that we have; a better one may reach more. This is no guarantee of security.";

std::string_view text_of(Attacker attacker) {
  constexpr std::array<std::string_view, 4> kTexts{
      "attack on the classifier alone", "BPDA, purification as identity", "gradient through the process",
      "the same, its noise known"};
  return kTexts.at(std::size_t(attacker));
}

std::string percent(const Score& score) {
  return fmt::format("{:5.1f}% ({:.1f} to {:.1f})", 100 * score.value, 100 * score.interval.low,
                     100 * score.interval.high);
}

Json json_of(const Score& score) {
  return Json::Object{{"value", score.value},
                      {"interval", Json::Array{score.interval.low, score.interval.high}}};
}

void print_row(std::string_view name, const std::string& alone, const std::string& purified,
               const std::string& cost) {
  print_line(fmt::format("{:<32}{:<24}{:<24}{}", name, alone, purified, cost));
}

}  // namespace

void print_robustness(const RobustnessTitle& title, const Robustness& r) {
  print_line(fmt::format(
      "{} pictures of {}, attacked by at most {:.4g} ({}) in {} steps, {} draws a gradient", r.pictures,
      title.data, title.attack.eps, to_string(title.attack.norm), title.attack.steps, title.draws));
  print_line(fmt::format("purified from level {:.3g} with {} steps of {}, {:.3f} s a picture", r.level,
                         title.steps, title.sampler, r.purification_seconds));
  if (r.recommended)
    print_line(fmt::format("{} other pictures, not attacked: {} right without purification", r.level_pictures,
                           percent(r.level_alone)));
  for (const Robustness::LevelCost& cost : r.levels)
    print_line(fmt::format("  level {:<5.3g} {}, {:.1f} points fewer ({:.1f} to {:.1f}){}", cost.level,
                           percent(cost.purified), 100 * cost.lost.value, 100 * cost.lost.interval.low,
                           100 * cost.lost.interval.high, cost.level == r.level ? ", recommended" : ""));
  print_row("right (from 5% to 95%)", "classifier alone", "purified", "seconds a picture");
  print_row("not attacked", percent(r.clean_alone), percent(r.clean_purified), "");
  for (const Robustness::Attacked& attacked : r.attacks)
    print_row(text_of(attacked.attacker), attacked.alone ? percent(*attacked.alone) : "",
              percent(attacked.purified), fmt::format("{:.2f}", attacked.seconds));
  print_row("whichever of these attacks", "", percent(r.strongest), "");
  print_line(kNoGuarantee);
}

Json to_json(const RobustnessTitle& title, const Robustness& r) {
  Json::Array levels, attacks;
  for (const Robustness::LevelCost& cost : r.levels)
    levels.push_back(Json::Object{
        {"level", cost.level}, {"purified", json_of(cost.purified)}, {"lost", json_of(cost.lost)}});
  for (const Robustness::Attacked& attacked : r.attacks) {
    Json::Object row{{"attack", to_string(attacked.attacker)}};
    if (attacked.alone) row["alone"] = json_of(*attacked.alone);
    row["purified"] = json_of(attacked.purified);
    row["seconds_per_picture"] = attacked.seconds;
    attacks.push_back(std::move(row));
  }
  Json::Object result{{"model", path_to_json(title.model)},
                      {"classifier", path_to_json(title.classifier)},
                      {"data", title.data},
                      {"pictures", r.pictures},
                      {"norm", to_string(title.attack.norm)},
                      {"eps", title.attack.eps},
                      {"attack_steps", title.attack.steps},
                      {"draws", title.draws},
                      {"sampler", title.sampler},
                      {"steps", title.steps},
                      {"evaluations", r.evaluations},
                      {"level", r.level},
                      {"level_recommended", r.recommended}};
  if (r.recommended) {
    result["levels"] = std::move(levels);
    result["level_pictures"] = r.level_pictures;
    result["level_alone"] = json_of(r.level_alone);
  }
  result["clean"] = Json::Object{{"alone", json_of(r.clean_alone)}, {"purified", json_of(r.clean_purified)}};
  result["attacks"] = std::move(attacks);
  result["strongest"] = json_of(r.strongest);
  result["purification_seconds_per_picture"] = r.purification_seconds;
  result["note"] = kNoGuarantee;
  return result;
}

}  // namespace diffusion
