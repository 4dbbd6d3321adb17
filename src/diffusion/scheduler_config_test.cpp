#include <gtest/gtest.h>

#include "diffusion/model.h"
#include "io/scratch.h"

namespace diffusion {
namespace {

TEST(SchedulerConfig, ZeroTerminalSnrSurvivesTheFile) {
  const NoiseSchedule plain = make_schedule(ScheduleKind::linear, 200),
                      rescaled = rescale_zero_terminal_snr(plain);
  for (const NoiseSchedule& schedule : {plain, rescaled}) {
    const Json json = scheduler_to_json(Preconditioner(Objective::v, schedule), true);
    EXPECT_EQ(member(json, "rescale_betas_zero_snr", "scheduler"), Json(schedule.zero_terminal_snr));
    const SchedulerSettings settings = parse_scheduler(json, "scheduler");
    EXPECT_EQ(settings.preconditioner.schedule()->betas, schedule.betas);
    EXPECT_EQ(settings.preconditioner.schedule()->sigmas, schedule.sigmas);
    EXPECT_EQ(settings.preconditioner.schedule()->zero_terminal_snr, schedule.zero_terminal_snr);
  }
}

TEST(SchedulerConfig, RefusesZeroTerminalSnrThatCannotBe) {
  const std::string message = scratch::error_of(ErrorKind::bad_input, [] {
    parse_scheduler(parse_json(R"({"_class_name": "DDPMScheduler", "num_train_timesteps": 1,
                                   "rescale_betas_zero_snr": true})",
                               "s.json"),
                    "s.json");
  });
  EXPECT_NE(message.find("s.json"), std::string::npos) << message;
  EXPECT_NE(message.find("zero terminal SNR"), std::string::npos) << message;
}

}  // namespace
}  // namespace diffusion
