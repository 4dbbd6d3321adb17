#include "diffusion/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <diffusion/error.h>

namespace diffusion {
namespace {

constexpr ScheduleKind kAllKinds[] = {ScheduleKind::linear, ScheduleKind::scaled_linear, ScheduleKind::cosine,
                                      ScheduleKind::quadratic, ScheduleKind::sigmoid};

template <class Function>
std::string usage_error(Function&& function) {
  try {
    function();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

TEST(ScheduleTest, TutorialCheckValues) {
  const NoiseSchedule schedule = make_schedule(ScheduleKind::linear, 200);
  EXPECT_NEAR(schedule.alphas_cumprod[0], 0.9999, 5e-6);
  EXPECT_NEAR(schedule.alphas_cumprod[40], 0.91739, 5e-6);
  EXPECT_NEAR(schedule.alphas_cumprod[50], 0.87562, 5e-6);
  EXPECT_NEAR(schedule.alphas_cumprod[100], 0.59640, 5e-6);
  EXPECT_NEAR(schedule.alphas_cumprod[150], 0.31555, 5e-6);
  EXPECT_NEAR(schedule.alphas_cumprod[199], 0.13218, 5e-6);
  EXPECT_NEAR(schedule.terminal_snr(), 0.152, 5e-4);
}

// alphas_cumprod from an independent script in plain double arithmetic, T = 1000, at t = 0, 1, 499, 998, 999.
TEST(ScheduleTest, EveryKindHasTheReferenceValues) {
  struct Case {
    NoiseSchedule schedule;
    double expected[5];
  };
  const Case cases[] = {
      {make_schedule(ScheduleKind::linear, 1000),
       {0.9999, 0.9997800920720721, 0.07858724288177821, 4.118193638138444e-05, 4.0358297653756754e-05}},
      {make_schedule(ScheduleKind::scaled_linear, 1000, 0.00085, 0.012),
       {0.99915, 0.9982960278384514, 0.27766965045646763, 0.004716698899875743, 0.004660098513077234}},
      {make_schedule(ScheduleKind::cosine, 1000),
       {0.999958715775178, 0.9999125759273678, 0.4938435904406382, 2.4287669070348544e-06,
        2.4287669070348567e-09}},
      {make_schedule(ScheduleKind::sigmoid, 1000),
       {0.9998507947991829, 0.9997010188194536, 0.30193105660219516, 4.0489620005560006e-05,
        3.968181990533219e-05}},
  };
  constexpr int kAt[] = {0, 1, 499, 998, 999};
  for (const Case& c : cases)
    for (int i = 0; i < 5; ++i)
      EXPECT_NEAR(c.schedule.alpha_cumprod(kAt[i]) / c.expected[i], 1, 1e-9)
          << to_string(c.schedule.kind) << " at t = " << kAt[i];
}

TEST(ScheduleTest, QuadraticIsScaledLinear) {
  EXPECT_EQ(make_schedule(ScheduleKind::quadratic, 100).betas,
            make_schedule(ScheduleKind::scaled_linear, 100).betas);
}

TEST(ScheduleTest, CosineIgnoresTheBetaRange) {
  EXPECT_EQ(make_schedule(ScheduleKind::cosine, 50).betas,
            make_schedule(ScheduleKind::cosine, 50, 0.1, 0.2).betas);
}

TEST(ScheduleTest, NoiseGrowsAndTablesAgree) {
  for (const ScheduleKind kind : kAllKinds)
    for (const int T : {1, 2, 3, 200, 4000}) {
      const NoiseSchedule schedule = make_schedule(kind, T);
      ASSERT_EQ(schedule.sigmas.size(), std::size_t(T));
      double product = 1;
      for (int t = 0; t < T; ++t) {
        product *= 1 - schedule.beta(t);
        ASSERT_DOUBLE_EQ(schedule.alpha_cumprod(t), product);
        const double sigma = schedule.sigma(t);
        ASSERT_NEAR(1 / (1 + sigma * sigma) / product, 1, 1e-12);
        ASSERT_NEAR(schedule.snr(t) * sigma * sigma, 1, 1e-12);
        ASSERT_GT(sigma, t > 0 ? schedule.sigma(t - 1) : 0);
      }
    }
}

TEST(ScheduleTest, TimestepOfSigmaInvertsSigmaExactlyAtTheTable) {
  for (const ScheduleKind kind : kAllKinds) {
    const NoiseSchedule schedule = make_schedule(kind, 300);
    for (int t = 0; t < 300; ++t) ASSERT_EQ(schedule.timestep_of_sigma(schedule.sigma(t)), t);
  }
}

TEST(ScheduleTest, TimestepOfSigmaInterpolatesInLogSigmaAndClamps) {
  const NoiseSchedule schedule = make_schedule(ScheduleKind::linear, 200);
  for (const int t : {0, 7, 100, 198}) {
    const double low = schedule.sigma(t), high = schedule.sigma(t + 1);
    EXPECT_NEAR(schedule.timestep_of_sigma(std::sqrt(low * high)), t + 0.5, 1e-9);
    EXPECT_NEAR(schedule.timestep_of_sigma(std::pow(low, 0.75) * std::pow(high, 0.25)), t + 0.25, 1e-9);
  }
  EXPECT_EQ(schedule.timestep_of_sigma(0), 0);
  EXPECT_EQ(schedule.timestep_of_sigma(schedule.sigma(0) / 2), 0);
  EXPECT_EQ(schedule.timestep_of_sigma(schedule.sigma(199) * 2), 199);
  EXPECT_EQ(schedule.timestep_of_sigma(std::numeric_limits<double>::infinity()), 199);
  usage_error([&] { schedule.timestep_of_sigma(std::nan("")); });
  usage_error([&] { schedule.timestep_of_sigma(-1); });
}

TEST(ScheduleTest, RefusesWhatCannotBeASchedule) {
  for (const int T : {0, -1, std::numeric_limits<int>::min(), std::numeric_limits<int>::max()})
    EXPECT_NE(usage_error([&] { make_schedule(ScheduleKind::linear, T); }).find("1000000"),
              std::string::npos);
  for (const double beta : {0.0, 1.0, -0.1, 2.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_NE(usage_error([&] { make_schedule(ScheduleKind::linear, 10, beta, 0.02); }).find("beta_start"),
              std::string::npos);
    EXPECT_NE(usage_error([&] { make_schedule(ScheduleKind::linear, 10, 1e-4, beta); }).find("beta_end"),
              std::string::npos);
  }
  // alphas_cumprod would underflow to 0; or beta is lost in 1 - beta.
  usage_error([] { make_schedule(ScheduleKind::linear, 1000, 0.9, 0.99); });
  usage_error([] { make_schedule(ScheduleKind::linear, 10, 1e-20, 0.02); });
}

TEST(ScheduleTest, TakesBetasFromOutside) {
  const NoiseSchedule linear = make_schedule(ScheduleKind::linear, 10);
  const NoiseSchedule steep = with_betas(linear, make_schedule(ScheduleKind::linear, 10, 0.1, 0.3).betas);
  EXPECT_EQ(steep.kind, ScheduleKind::linear);
  EXPECT_DOUBLE_EQ(steep.beta(9), 0.3);
  EXPECT_EQ(steep.sigmas, make_schedule(ScheduleKind::linear, 10, 0.1, 0.3).sigmas);
  usage_error([&] { with_betas(linear, std::vector<double>(9, 0.1)); });
  for (const double beta : {0.0, -0.1, 1.0, 1.5, std::nan("")}) {
    std::vector<double> betas = linear.betas;
    betas[4] = beta;
    EXPECT_NE(usage_error([&] { with_betas(linear, betas); }).find("timestep 4"), std::string::npos) << beta;
  }
}

TEST(ScheduleTest, RefusesTimestepsOutsideTheTable) {
  const NoiseSchedule schedule = make_schedule(ScheduleKind::linear, 10);
  for (const int t : {-1, 10}) {
    usage_error([&] { schedule.sigma(t); });
    usage_error([&] { schedule.beta(t); });
    usage_error([&] { schedule.alpha_cumprod(t); });
    usage_error([&] { schedule.snr(t); });
  }
}

TEST(ScheduleTest, NamesGoBothWays) {
  for (const ScheduleKind kind : kAllKinds) EXPECT_EQ(parse_schedule_kind(to_string(kind)), kind);
  const std::string message = usage_error([] { parse_schedule_kind("Linear"); });
  EXPECT_NE(message.find("\"Linear\""), std::string::npos) << message;
  EXPECT_NE(message.find("linear, scaled_linear, cosine, quadratic, sigmoid"), std::string::npos) << message;
}

TEST(ScheduleTest, ScaledBetasEndNearPureNoise) {
  const double scale = beta_scale_auto(200);
  EXPECT_EQ(scale, 5);
  const NoiseSchedule schedule = make_schedule(ScheduleKind::linear, 200, 1e-4 * scale, 0.02 * scale);
  EXPECT_NEAR(schedule.alphas_cumprod.back(), 3.0318e-5, 1e-9);
  usage_error([] { beta_scale_auto(0); });
}

// The first four values from an independent script in double arithmetic; diffusers' agree to f32.
TEST(ScheduleTest, RescalingToZeroTerminalSnrHasTheReferenceValues) {
  const NoiseSchedule plain = make_schedule(ScheduleKind::linear, 200),
                      schedule = rescale_zero_terminal_snr(plain);
  EXPECT_TRUE(schedule.zero_terminal_snr);
  EXPECT_FALSE(plain.zero_terminal_snr);
  EXPECT_DOUBLE_EQ(schedule.alpha_cumprod(0), 0.9999);
  EXPECT_NEAR(schedule.alpha_cumprod(1), 0.9995857787492802, 1e-13);
  EXPECT_NEAR(schedule.alpha_cumprod(100), 0.41240637323890494, 1e-13);
  EXPECT_NEAR(schedule.alpha_cumprod(198) / 3.363933462995287e-05, 1, 1e-10);
  EXPECT_NEAR(schedule.beta(100), 0.01895672794953973, 1e-13);
  EXPECT_NEAR(schedule.beta(198), 0.7512515305243436, 1e-10);
  EXPECT_EQ(schedule.alpha_cumprod(199), std::pow(2, -24));
  EXPECT_FALSE(terminal_snr_warning(schedule).has_value());
}

TEST(ScheduleTest, RescaledSchedulesKeepWhatSchedulesPromise) {
  for (const ScheduleKind kind : kAllKinds)
    for (const int T : {2, 3, 200, 1000}) {
      const NoiseSchedule schedule = rescale_zero_terminal_snr(make_schedule(kind, T));
      double product = 1;
      for (int t = 0; t < T; ++t) {
        ASSERT_GT(schedule.beta(t), 0);
        ASSERT_LT(schedule.beta(t), 1);
        product *= 1 - schedule.beta(t);
        ASSERT_NEAR(schedule.alpha_cumprod(t) / product, 1, 1e-8)
            << to_string(kind) << " " << T << " at " << t;
        ASSERT_NEAR(schedule.snr(t) * schedule.sigma(t) * schedule.sigma(t), 1, 1e-12);
        ASSERT_GT(schedule.sigma(t), t > 0 ? schedule.sigma(t - 1) : 0);
      }
    }
}

TEST(ScheduleTest, RefusesToRescaleWhatCannotBe) {
  usage_error([] { rescale_zero_terminal_snr(make_schedule(ScheduleKind::linear, 1)); });
  NoiseSchedule flat = make_schedule(ScheduleKind::linear, 3);
  flat.alphas_cumprod[1] = flat.alphas_cumprod[2];
  const std::string message = usage_error([&] { rescale_zero_terminal_snr(flat); });
  EXPECT_NE(message.find("linear noise schedule with 3 timesteps"), std::string::npos) << message;
}

// Where a schedule is below 2^-24 before its end already, as Ho et al.'s is.
TEST(ScheduleTest, RescalingEndsBelowTheTimestepBefore) {
  const NoiseSchedule schedule = rescale_zero_terminal_snr(make_schedule(ScheduleKind::linear, 1000));
  EXPECT_LT(schedule.alpha_cumprod(998), std::pow(2, -24));
  EXPECT_DOUBLE_EQ(schedule.alpha_cumprod(999), schedule.alpha_cumprod(998) / 4);
}

TEST(ScheduleTest, WarnsWhereTheLastTimestepKeepsThePicture) {
  const auto warning = terminal_snr_warning(make_schedule(ScheduleKind::linear, 200));
  ASSERT_TRUE(warning.has_value());
  for (const char* part : {"0.364", "0.152", "200 timesteps", "cosine", "beta_start 0.0005", "beta_end 0.1"})
    EXPECT_NE(warning->find(part), std::string::npos) << part << " is not in: " << *warning;

  // Betas that would leave (0, 1) are not offered.
  const auto short_warning = terminal_snr_warning(make_schedule(ScheduleKind::linear, 20));
  ASSERT_TRUE(short_warning.has_value());
  EXPECT_EQ(short_warning->find("beta_start"), std::string::npos) << *short_warning;
  // More timesteps are not offered where there are enough.
  const auto weak_warning = terminal_snr_warning(make_schedule(ScheduleKind::linear, 1000, 1e-4, 1e-3));
  ASSERT_TRUE(weak_warning.has_value());
  EXPECT_NE(weak_warning->find("larger betas"), std::string::npos) << *weak_warning;
}

TEST(ScheduleTest, DoesNotWarnAboutSoundSchedules) {
  for (const ScheduleKind kind : kAllKinds)
    EXPECT_FALSE(terminal_snr_warning(make_schedule(kind, 1000)).has_value()) << to_string(kind);
  EXPECT_FALSE(
      terminal_snr_warning(make_schedule(ScheduleKind::scaled_linear, 1000, 0.00085, 0.012)).has_value());
  EXPECT_FALSE(terminal_snr_warning(make_schedule(ScheduleKind::linear, 200, 5e-4, 0.1)).has_value());
  EXPECT_FALSE(terminal_snr_warning(make_schedule(ScheduleKind::cosine, 200)).has_value());
}

}  // namespace
}  // namespace diffusion
