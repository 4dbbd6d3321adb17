#include "train/outlook.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "base/rng.h"

namespace diffusion {
namespace {

using Curve = std::function<double(double step)>;

double normal(std::uint32_t sample) {
  float value = 0;
  fill_normal({5, Stream::init, sample}, {&value, 1});
  return value;
}

// A run of 2400 steps, with held-out measurements every 200; `scatter` is the relative deviation of a single
// one.
RunLog run_of(const Curve& training, const Curve& held_out, double scatter = 1e-4,
              double training_scatter = 0.1) {
  RunLog log;
  for (int step = 1; step <= 2400; ++step) {
    log.step.push_back(step);
    log.loss.push_back(training(step) * (1 + training_scatter * normal(std::uint32_t(step))));
    if (step % 200 == 0)
      log.held_out.push_back(
          {double(step), {held_out(step) * (1 + scatter * normal(100'000 + std::uint32_t(step))), {}, {}}});
  }
  return log;
}

double power_law(double step) {
  return 0.1 + std::pow(step, -0.5);
}

TEST(Outlook, FallingTellsByHowMuch) {
  const Outlook o = outlook_of(run_of(power_law, power_law));
  EXPECT_EQ(o.kind, OutlookKind::falling);
  EXPECT_NEAR(o.fall, 1 - power_law(2400) / power_law(1200), 0.004);
  EXPECT_EQ(o.half_step, 1200);
  EXPECT_EQ(o.last_step, 2400);
  const std::string text = describe(o);
  EXPECT_NE(text.find("More steps should help"), std::string::npos) << text;
  EXPECT_NE(text.find("from step 1200 to 2400"), std::string::npos) << text;
  EXPECT_NE(text.find("fell by 6.6%"), std::string::npos) << text;
}

TEST(Outlook, FallIsExactForAStraightLineOverDoublings) {
  const auto line = [](double step) { return 1 - 0.02 * std::log2(step); };
  const Outlook o = outlook_of(run_of(line, line, 0, 0));
  EXPECT_NEAR(o.fall, 1 - line(2400) / line(1200), 1e-12);
  EXPECT_NEAR(o.rise, 0, 1e-12);
}

TEST(Outlook, FlatHasItsThresholdOnBothSides) {
  const auto falling_by = [](double share) {
    return [share](double step) { return 0.2 * (1 - share * std::log2(step / 2400)); };
  };
  EXPECT_EQ(outlook_of(run_of(power_law, falling_by(0.004), 0)).kind, OutlookKind::flat);
  EXPECT_EQ(outlook_of(run_of(power_law, falling_by(0.006), 0)).kind, OutlookKind::falling);
  const Outlook rises_a_little = outlook_of(run_of(power_law, falling_by(-0.002), 0));
  EXPECT_EQ(rises_a_little.kind, OutlookKind::flat);
  EXPECT_LT(rises_a_little.fall, 0);
  EXPECT_NE(describe(rises_a_little).find("hardly help"), std::string::npos);
  EXPECT_NE(describe(rises_a_little).find("by +0.2%"), std::string::npos) << describe(rises_a_little);
}

// Lowest at step 1000.
double valley(double step) {
  return 0.2 + 0.05 * std::pow(std::log2(step / 1000), 2);
}

TEST(Outlook, OverfittingNamesTheLowestStep) {
  const Outlook o = outlook_of(run_of(power_law, valley));
  EXPECT_EQ(o.kind, OutlookKind::overfitting);
  EXPECT_EQ(o.best_step, 1000);
  EXPECT_NEAR(o.rise, valley(2400) / valley(1000) - 1, 0.002);
  const std::string text = describe(o);
  for (const char* words : {"will not help", "lowest at step 1000", "risen by 39", "overfitting"})
    EXPECT_NE(text.find(words), std::string::npos) << text;
}

TEST(Outlook, RisingWithTheTrainingLossIsNoOverfitting) {
  const Outlook o = outlook_of(run_of(valley, valley));
  EXPECT_EQ(o.kind, OutlookKind::rising);
  EXPECT_NE(describe(o).find("lower learning rate"), std::string::npos);
}

TEST(Outlook, ARiseWithinTheScatterIsNone) {
  const auto flat = [](double) { return 0.2; };
  for (double scatter : {0.005, 0.02, 0.05}) {
    const Outlook o = outlook_of(run_of(power_law, flat, scatter));
    EXPECT_NE(o.kind, OutlookKind::overfitting) << scatter << " rise " << o.rise;
    EXPECT_NE(o.kind, OutlookKind::rising) << scatter;
  }
}

TEST(Outlook, ASpikeThatIsOverDoesNotCount) {
  const auto spike = [](double step) { return power_law(step) * (step == 1000 ? 3 : 1); };
  EXPECT_EQ(outlook_of(run_of(power_law, spike)).kind, OutlookKind::falling);
}

TEST(Outlook, FewMeasurementsAreTooFew) {
  RunLog log = run_of(power_law, power_law);
  const auto all = log.held_out;
  const auto kind_of = [&](std::initializer_list<int> chosen) {
    log.held_out.clear();
    for (const int k : chosen) log.held_out.push_back(all[std::size_t(k)]);
    const OutlookKind kind = outlook_of(log).kind;
    EXPECT_FALSE(describe(outlook_of(log)).empty());
    return kind;
  };
  EXPECT_EQ(kind_of({}), OutlookKind::unknown);
  EXPECT_EQ(kind_of({0}), OutlookKind::too_early);
  EXPECT_EQ(kind_of({0, 1, 2}), OutlookKind::too_early);
  EXPECT_EQ(kind_of({0, 1, 2, 3}), OutlookKind::falling);
  EXPECT_EQ(kind_of({8, 9, 10, 11}), OutlookKind::too_early) << "nothing from the first half";
  EXPECT_EQ(kind_of({0, 1, 2, 11}), OutlookKind::too_early) << "one from the second half";
  EXPECT_EQ(outlook_of(RunLog{}).kind, OutlookKind::unknown);
}

TEST(Outlook, LeavesOutWhatIsNoNumber) {
  RunLog log = run_of(power_law, power_law);
  log.held_out[3].measured.loss = std::numeric_limits<double>::quiet_NaN();
  log.held_out.back().measured.loss = std::numeric_limits<double>::infinity();
  const Outlook o = outlook_of(log);
  EXPECT_EQ(o.kind, OutlookKind::falling);
  EXPECT_EQ(o.last_step, 2200);
  EXPECT_TRUE(std::isfinite(o.fall));
  for (auto& p : log.held_out) p.measured.loss = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(outlook_of(log).kind, OutlookKind::unknown);
}

}  // namespace
}  // namespace diffusion
