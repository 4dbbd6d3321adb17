#include "diffusion/precondition.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <diffusion/error.h>

namespace diffusion {
namespace {

const NoiseSchedule kSchedule = make_schedule(ScheduleKind::linear, 200);
constexpr Objective kDiscrete[] = {Objective::epsilon, Objective::v, Objective::x0};

// What F must output, from the papers' definitions in terms of alphas_cumprod and not of the scalings.
double ideal_output(Objective objective, double alpha_cumprod, double y, double n) {
  switch (objective) {
    case Objective::epsilon:
      return n;
    case Objective::v:
      return std::sqrt(alpha_cumprod) * n - std::sqrt(1 - alpha_cumprod) * y;
    default:
      return y;
  }
}

TEST(PreconditionTest, IdealNetworkGivesTheCleanImage) {
  for (const Objective objective : kDiscrete) {
    const Preconditioner preconditioner(objective, kSchedule);
    for (int t = 0; t < 200; t += 13)
      for (const double y : {-1.0, 0.3}) {
        const double n = -1.7, sigma = kSchedule.sigma(t);
        const Scalings c = preconditioner.scalings(sigma);
        const double F = ideal_output(objective, kSchedule.alpha_cumprod(t), y, n);
        EXPECT_NEAR(c.c_skip * (y + sigma * n) + c.c_out * F, y, 1e-12)
            << to_string(objective) << " t = " << t;
      }
  }
}

TEST(PreconditionTest, DiscreteNetworksSeeTheVarianceInputAndTheirTimestep) {
  for (const Objective objective : kDiscrete) {
    const Preconditioner preconditioner(objective, kSchedule);
    for (const int t : {0, 1, 77, 199}) {
      const Scalings c = preconditioner.scalings(kSchedule.sigma(t));
      EXPECT_NEAR(c.c_in, std::sqrt(kSchedule.alpha_cumprod(t)), 1e-14);  // x_t = sqrt(alphas_cumprod) x
      EXPECT_EQ(c.c_noise, t);
    }
  }
}

// Karras et al. 2022, appendix B.6: unit variance of the network's input and target, and least c_out.
TEST(PreconditionTest, EdmKeepsInputAndTargetAtUnitVariance) {
  const double sigma_data = 0.7;
  const Preconditioner preconditioner(EdmProcess{.sigma_data = sigma_data});
  for (const double sigma : {0.002, 0.1, 0.7, 5.0, 80.0}) {
    const Scalings c = preconditioner.scalings(sigma);
    const double data_variance = sigma_data * sigma_data, noise_variance = sigma * sigma;
    EXPECT_NEAR(c.c_in * c.c_in * (data_variance + noise_variance), 1, 1e-12);
    const auto target_variance = [&](double c_skip) {
      return (1 - c_skip) * (1 - c_skip) * data_variance + c_skip * c_skip * noise_variance;
    };
    EXPECT_NEAR(target_variance(c.c_skip) / (c.c_out * c.c_out), 1, 1e-12);
    EXPECT_LT(target_variance(c.c_skip), target_variance(c.c_skip + 0.01));
    EXPECT_LT(target_variance(c.c_skip), target_variance(c.c_skip - 0.01));
    EXPECT_GT(c.c_out, 0);
    EXPECT_NEAR(c.c_noise, std::log(sigma) / 4, 1e-15);
  }
}

TEST(PreconditionTest, EdmIdealNetworkGivesTheCleanImage) {
  const double sigma_data = 0.5, y = -0.4, n = 1.3;
  const Preconditioner preconditioner(EdmProcess{.sigma_data = sigma_data});
  for (const double sigma : {0.002, 0.5, 80.0}) {
    const Scalings c = preconditioner.scalings(sigma);
    // (y - c_skip x) / c_out written out with the paper's table 1.
    const double norm = std::sqrt(sigma * sigma + sigma_data * sigma_data);
    const double F = (sigma * y - sigma_data * sigma_data * n) / (sigma_data * norm);
    EXPECT_NEAR(c.c_skip * (y + sigma * n) + c.c_out * F, y, 1e-12);
  }
}

// x_t = (1 - t) y + t n and F = n - y.
TEST(PreconditionTest, FlowIsTheVelocityOfTheStraightLine) {
  const Preconditioner preconditioner(RectifiedFlow{.num_train_timesteps = 500});
  const double y = -0.4, n = 1.3;
  for (const double t : {1e-4, 0.002, 0.3, 0.5, 0.9, 1 - 1e-9}) {
    const double sigma = t / (1 - t);
    const Scalings c = preconditioner.scalings(sigma);
    EXPECT_NEAR(c.c_in * (y + sigma * n), (1 - t) * y + t * n, 1e-12) << t;
    EXPECT_NEAR(c.c_skip * (y + sigma * n) + c.c_out * (n - y), y, 1e-12) << t;
    EXPECT_NEAR(c.c_noise, 500 * t, 1e-9) << t;
    EXPECT_NEAR(preconditioner.initial_std(sigma) * c.c_in, 1, 1e-12) << t;
    EXPECT_NEAR(preconditioner.picture_scale(sigma), 1 - t, 1e-12) << t;
  }
  EXPECT_NEAR(preconditioner.sigma_min(), 1 / 499.0, 1e-15);  // t = 1 / T
  EXPECT_NEAR(preconditioner.sigma_max(), 499, 1e-12);
  EXPECT_EQ(preconditioner.schedule(), nullptr);
  EXPECT_EQ(preconditioner.as<EdmProcess>(), nullptr);
}

TEST(PreconditionTest, RangeAndStart) {
  const Preconditioner discrete(Objective::v, kSchedule);
  EXPECT_EQ(discrete.sigma_min(), kSchedule.sigma(0));
  EXPECT_EQ(discrete.sigma_max(), kSchedule.sigma(199));
  EXPECT_EQ(discrete.schedule()->num_train_timesteps, 200);
  const double sigma = discrete.sigma_max();
  EXPECT_NEAR(discrete.initial_std(sigma) * discrete.scalings(sigma).c_in, 1, 1e-14);  // F sees N(0, 1)

  const Preconditioner edm(EdmProcess{.sigma_min = 0.01, .sigma_max = 40});
  EXPECT_EQ(edm.sigma_min(), 0.01);
  EXPECT_EQ(edm.sigma_max(), 40);
  EXPECT_EQ(edm.initial_std(40), 40);
  EXPECT_EQ(edm.schedule(), nullptr);
}

TEST(PreconditionTest, DiscreteLevelsAreUniformOverTheTimesteps) {
  const int T = 10;
  const Preconditioner preconditioner(Objective::epsilon, make_schedule(ScheduleKind::linear, T));
  const std::vector<double>& sigmas = preconditioner.schedule()->sigmas;
  for (int t = 0; t < T; ++t) {
    EXPECT_EQ(preconditioner.sigma_at(t / double(T) + 1e-9), sigmas[std::size_t(t)]);
    EXPECT_EQ(preconditioner.sigma_at((t + 1) / double(T) - 1e-9), sigmas[std::size_t(t)]);
  }
  EXPECT_EQ(preconditioner.sigma_at(0), sigmas.front());
  EXPECT_EQ(preconditioner.sigma_at(std::nextafter(1, 0)), sigmas.back());
}

// 0.158655... is the share of a normal distribution below one deviation under the mean, 0.977249... below two
// above it.
TEST(PreconditionTest, EdmLevelsAreLogNormal) {
  const Preconditioner preconditioner(EdmProcess{.p_mean = -0.8, .p_std = 1.5});
  EXPECT_NEAR(std::log(preconditioner.sigma_at(0.15865525393145705)), -0.8 - 1.5, 1e-12);
  EXPECT_NEAR(std::log(preconditioner.sigma_at(0.5)), -0.8, 1e-12);
  EXPECT_NEAR(std::log(preconditioner.sigma_at(0.97724986805182079)), -0.8 + 2 * 1.5, 1e-12);
  EXPECT_GT(preconditioner.sigma_at(0), 0);
  EXPECT_LT(preconditioner.sigma_at(std::nextafter(1, 0)), 1e6);
}

TEST(PreconditionTest, FlowLevelsAreLogitNormal) {
  const Preconditioner preconditioner(RectifiedFlow{.logit_mean = 0.5, .logit_std = 0.8});
  const auto logit_of_t = [&](double u) {
    const double sigma = preconditioner.sigma_at(u), t = sigma / (1 + sigma);
    return std::log(t / (1 - t));
  };
  EXPECT_NEAR(logit_of_t(0.15865525393145705), 0.5 - 0.8, 1e-12);
  EXPECT_NEAR(logit_of_t(0.5), 0.5, 1e-12);
  EXPECT_NEAR(logit_of_t(0.97724986805182079), 0.5 + 2 * 0.8, 1e-12);
}

TEST(PreconditionTest, MinSnrWeightsAreThePapers) {
  const double gamma = 5;
  const Weighting weighting{.kind = WeightingKind::min_snr, .min_snr_gamma = gamma};
  for (const int t : {0, 20, 60, 199}) {  // SNR from 1e4 to 0.15
    const double snr = kSchedule.snr(t), sigma = kSchedule.sigma(t), capped = std::min(snr, gamma);
    const auto weight = [&](Objective objective) {
      return loss_weight(weighting, Preconditioner(objective, kSchedule), sigma);
    };
    EXPECT_NEAR(weight(Objective::epsilon), capped / snr, 1e-12);
    EXPECT_NEAR(weight(Objective::v), capped / (snr + 1), 1e-12);
    EXPECT_NEAR(weight(Objective::x0), capped, 1e-12);
    const double time = sigma / (1 + sigma);
    EXPECT_NEAR(loss_weight(weighting, Preconditioner(RectifiedFlow{}), sigma), capped * time * time, 1e-12);
  }
}

TEST(PreconditionTest, P2AndUniformWeights) {
  const Preconditioner preconditioner(Objective::epsilon, kSchedule);
  const double sigma = 0.5;  // SNR 4
  EXPECT_EQ(loss_weight({}, preconditioner, sigma), 1);
  const Weighting p2{.kind = WeightingKind::p2, .p2_k = 2, .p2_gamma = 0.5};
  EXPECT_NEAR(loss_weight(p2, preconditioner, sigma), 1 / std::sqrt(6.0), 1e-14);
  // The tutorial's exponent is 0: its P2 weighting does nothing.
  EXPECT_EQ(loss_weight({.kind = WeightingKind::p2, .p2_gamma = 0}, preconditioner, sigma), 1);
  EXPECT_EQ(loss_weight({}, Preconditioner(EdmProcess{}), sigma), 1);
}

// What others ask instead of which process it is.
TEST(PreconditionTest, ProcessesTellWhatOthersNeedToKnow) {
  const Preconditioner discrete(Objective::v, kSchedule), edm(EdmProcess{}), flow(RectifiedFlow{});
  EXPECT_EQ(discrete.facts().discrete_levels, 200);
  EXPECT_EQ(edm.facts().discrete_levels, 0);
  EXPECT_EQ(flow.facts().discrete_levels, 0);
  EXPECT_TRUE(edm.facts().small_steps);
  EXPECT_FALSE(discrete.facts().small_steps || flow.facts().small_steps);
  EXPECT_EQ(flow.facts().first_order, "euler");
  EXPECT_EQ(discrete.facts().first_order, "ddim");
  EXPECT_EQ(to_string(discrete.objective()), "v");
  EXPECT_EQ(to_string(edm.objective()), "edm");
  EXPECT_EQ(to_string(flow.objective()), "flow");

  EXPECT_EQ(discrete.text().line, "linear, 200 timesteps, beta from 0.0001 to 0.02; terminal SNR 0.152");
  EXPECT_EQ(edm.text().line, "sigma from 0.002 to 80, sigma_data 0.5");
  EXPECT_EQ(flow.text().line, "rectified flow, 1000 timesteps");
  EXPECT_EQ(discrete.text().warning, terminal_snr_warning(kSchedule));
  EXPECT_TRUE(discrete.text().warning.has_value());
  EXPECT_FALSE(edm.text().warning || flow.text().warning);
  EXPECT_EQ(discrete.text().details.at("terminal_snr_warning"), Json(*discrete.text().warning));
  EXPECT_EQ(flow.text().details.at("kind"), Json("flow"));
}

TEST(PreconditionTest, RefusesWhatMakesNoSense) {
  const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  EXPECT_THROW(Preconditioner(Objective::edm, kSchedule), Error);
  EXPECT_THROW(Preconditioner(Objective::flow, kSchedule), Error);
  for (const int T : {-1, 0, 2, 1'000'001})
    EXPECT_THROW(Preconditioner(RectifiedFlow{.num_train_timesteps = T}), Error) << T;
  EXPECT_THROW(Preconditioner(RectifiedFlow{.logit_mean = infinity}), Error);
  EXPECT_THROW(Preconditioner(RectifiedFlow{.logit_std = 0}), Error);
  EXPECT_THROW(Preconditioner(Objective::epsilon, NoiseSchedule{}), Error);
  for (const double bad : {0.0, -1.0, nan, infinity}) {
    EXPECT_THROW(Preconditioner(EdmProcess{.sigma_data = bad}), Error) << bad;
    EXPECT_THROW(Preconditioner(EdmProcess{.sigma_min = bad}), Error) << bad;
    EXPECT_THROW(Preconditioner(EdmProcess{.sigma_max = bad}), Error) << bad;
    EXPECT_THROW(Preconditioner(EdmProcess{.p_std = bad}), Error) << bad;
    const Preconditioner epsilon(Objective::epsilon, kSchedule);
    EXPECT_THROW(epsilon.scalings(bad), Error) << bad;
    EXPECT_THROW(loss_weight({}, epsilon, bad), Error) << bad;
    EXPECT_THROW(loss_weight({.kind = WeightingKind::p2, .p2_k = bad}, epsilon, 1), Error) << bad;
    EXPECT_THROW(loss_weight({.kind = WeightingKind::min_snr, .min_snr_gamma = bad}, epsilon, 1), Error)
        << bad;
  }
  EXPECT_THROW(Preconditioner(EdmProcess{.sigma_min = 2, .sigma_max = 2}), Error);
  EXPECT_THROW(Preconditioner(EdmProcess{.p_mean = nan}), Error);
}

}  // namespace
}  // namespace diffusion
