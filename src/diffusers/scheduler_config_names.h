#pragma once

// Words that scheduler_config.json has for things of ours.

#include <array>
#include <string_view>

#include "diffusion/precondition.h"

namespace diffusion {

struct BetaScheduleName {
  std::string_view diffusers;
  ScheduleKind kind;
};
// The first row of a kind is what we write; quadratic is scaled_linear there.
inline constexpr std::array<BetaScheduleName, 5> kBetaScheduleNames{
    {{"linear", ScheduleKind::linear},
     {"scaled_linear", ScheduleKind::scaled_linear},
     {"squaredcos_cap_v2", ScheduleKind::cosine},
     {"sigmoid", ScheduleKind::sigmoid},
     {"scaled_linear", ScheduleKind::quadratic}}};

struct PredictionTypeName {
  std::string_view diffusers;
  Objective objective;
};
inline constexpr std::array<PredictionTypeName, 3> kPredictionTypeNames{
    {{"epsilon", Objective::epsilon}, {"v_prediction", Objective::v}, {"sample", Objective::x0}}};

}  // namespace diffusion
