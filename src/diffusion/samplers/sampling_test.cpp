#include <diffusion/sampling.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <stdexcept>
#include <vector>

#include <diffusion/error.h>
#include "diffusion/samplers.h"
#include "diffusion/spacings.h"
#include "support/exact_gaussian.h"

namespace diffusion {
namespace {

using namespace exact_gaussian;

void answer(Sampling& sampling) {
  const Question& question = *sampling.question();
  gaussian_denoiser(question.x, question.sigma, question.denoised);
  sampling.answer();
}

struct Request {
  Sampler sampler;
  std::vector<double> sigmas, x;
  NoiseSource noise;
};

// Samplers, options, numbers of steps, levels, sizes and seeds all over the place.
Request random_request(std::mt19937& random) {
  const auto below = [&](int n) { return int(random() % unsigned(n)); };
  std::vector<Sampler> choices;
  for (const SamplerEntry& entry : samplers()) choices.push_back(entry.sampler);
  choices.insert(
      choices.end(),
      {Ddim{.eta = 0.7, .limit = [](std::span<double> d) { d[0] = std::min(d[0], 0.5); }},
       Ddpm{.variance = DdpmVariance::beta}, Edm{.s_churn = 3, .s_tmax = 5}, Dpmpp{.values = 3, .heun = true},
       Unipc{.values = 2, .bh1 = true}, Deis{.values = 2, .lower_order_final = false}});
  Request request{choices[std::size_t(below(int(choices.size())))], {}, {}, {}};
  request.sigmas = karras_sigmas(1 + below(12), 0.002 * (1 + below(100)), 1 + below(100));
  if (below(2) == 0 && request.sigmas.size() > 2) request.sigmas.pop_back();
  if (Pndm* pndm = std::get_if<Pndm>(&request.sampler); pndm && below(2) == 0 && request.sigmas.size() > 2)
    pndm->middles = {std::sqrt(request.sigmas[0] * request.sigmas[1])};
  const std::size_t size = std::size_t(1 + below(9));
  request.noise = image_noise(random(), 0, size);
  request.x = started(request.noise, request.sigmas.front(), size);
  return request;
}

TEST(SamplingTest, ManyInAnyOrderGiveWhatEachGivesAlone) {
  std::mt19937 random(3);
  std::vector<Sampling> samplings;
  std::vector<std::vector<double>> expected;
  std::vector<int> order, steps_alone, steps(400);
  for (int k = 0; k < 400; ++k) {
    const Request request = random_request(random);
    expected.push_back(request.x);
    steps_alone.push_back(0);
    run_sampler(request.sampler, gaussian_denoiser, request.sigmas, request.noise, expected.back(),
                [&](const SamplerStep&) { ++steps_alone.back(); });
    samplings.emplace_back(request.sampler, request.sigmas, request.x, request.noise,
                           [&steps, k](const SamplerStep&) { ++steps[std::size_t(k)]; });
    const int questions =
        evaluations_of(request.sampler, request.sigmas);  // so many turns, at random among all turns
    order.insert(order.end(), std::size_t(questions), k);
  }
  std::ranges::shuffle(order, random);
  for (const int k : order) {
    ASSERT_NE(samplings[std::size_t(k)].question(), nullptr);
    answer(samplings[std::size_t(k)]);
  }
  for (std::size_t k = 0; k < samplings.size(); ++k) {
    EXPECT_EQ(samplings[k].question(), nullptr);
    const std::span<const double> x = samplings[k].x();
    EXPECT_EQ(std::vector(x.begin(), x.end()), expected[k]) << k;
  }
  EXPECT_EQ(steps, steps_alone);
}

TEST(SamplingTest, MayBeMovedAndDroppedAtAnyQuestion) {
  const auto token = std::make_shared<int>(0);
  const std::vector<double> sigmas{5, 3, 2, 1, 0};
  for (const SamplerEntry& entry : samplers())
    for (int questions = 0; questions <= evaluations_of(entry.sampler, sigmas); ++questions) {
      const NoiseSource noise = [token](int, std::span<double> out) { std::ranges::fill(out, 0.5); };
      const StepCallback on_step = [token](const SamplerStep&) {};
      const long held = token.use_count();
      {
        Sampling first(entry.sampler, sigmas, {1, 2, 3}, noise, on_step);
        EXPECT_GT(token.use_count(), held) << entry.name;
        for (int k = 0; k < questions; ++k) {
          Sampling next = std::move(first);
          answer(next);
          first = std::move(next);
        }
        EXPECT_EQ(first.question() == nullptr, questions == evaluations_of(entry.sampler, sigmas));
      }
      EXPECT_EQ(token.use_count(), held) << entry.name << " after " << questions;
    }
}

TEST(SamplingTest, WhatTheCallbackThrowsComesOutOfAnswer) {
  for (const SamplerEntry& entry : samplers()) {
    const auto token = std::make_shared<int>(0);
    Sampling sampling(entry.sampler, {5, 3, 2, 1, 0}, {1, 2}, image_noise(1, 0, 2),
                      [token](const SamplerStep& step) {
                        if (step.index == 1) throw std::runtime_error("enough");
                      });
    const auto drive = [&] {
      while (sampling.question()) answer(sampling);
    };
    EXPECT_THROW(drive(), std::runtime_error) << entry.name;
    EXPECT_EQ(sampling.question(), nullptr) << entry.name;
    try {
      sampling.answer();
      ADD_FAILURE() << entry.name;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::internal);
    }
  }
}

TEST(SamplingTest, WhatTheNoiseSourceThrowsComesOut) {
  const NoiseSource broken = [](int, std::span<double>) { throw std::runtime_error("no noise"); };
  EXPECT_THROW(Sampling(Edm{}, {5, 0}, {1}, broken), std::runtime_error);  // draws before its first question
  Sampling sampling(Ddpm{}, {5, 1, 0}, {1}, broken);
  EXPECT_THROW(answer(sampling), std::runtime_error);
}

TEST(SamplingTest, AsksAtTheLevelsOfItsSampler) {
  Sampling sampling(Heun{}, {4, 2, 0}, {3, -1});
  std::vector<double> sigmas;
  while (const Question* question = sampling.question()) {
    sigmas.push_back(question->sigma);
    EXPECT_EQ(question->x.size(), 2u);
    EXPECT_EQ(question->denoised.size(), 2u);
    EXPECT_NE(question->x.data(), question->denoised.data());
    answer(sampling);
  }
  EXPECT_EQ(sigmas, (std::vector<double>{4, 2, 2}));
}

SamplerCoroutine own_euler(SamplerState& state, double share) {
  const std::span<double> x = state.x;
  std::vector<double> d(x.size());
  for (std::size_t i = 0; i + 1 < state.sigmas.size(); ++i) {
    const double keep = state.sigmas[i + 1] / state.sigmas[i];
    co_yield Question{x, state.sigmas[i], d};
    for (std::size_t k = 0; k < x.size(); ++k) x[k] = share * (d[k] + keep * (x[k] - d[k]));
    state.report(i, d);
  }
}

TEST(SamplingTest, OwnSamplersRunAsTheOthers) {
  const std::vector<double> sigmas{5, 3, 2, 1, 0}, start{1, -2, 7};
  const OwnSampler own{.name = "mine", .walk = [](SamplerState& state) { return own_euler(state, 1); }};
  EXPECT_EQ(name_of(own), "mine");
  std::vector<double> x = start, expected = start;
  int steps = 0;
  run_sampler(own, gaussian_denoiser, sigmas, {}, x, [&](const SamplerStep&) { ++steps; });
  run_sampler(Euler{}, gaussian_denoiser, sigmas, {}, expected);
  EXPECT_EQ(x, expected);
  EXPECT_EQ(steps, 4);
}

// The coroutine may itself be what has captured something: it lives in the sampling, wherever that goes.
TEST(SamplingTest, OwnSamplersMayRememberWhatTheyWereMadeWith) {
  const std::vector<double> sigmas{5, 3, 2, 1, 0}, start{1, -2, 7};
  std::vector<Sampling> samplings;
  {
    const auto token = std::make_shared<double>(1);
    const OwnSampler own{.name = "mine", .walk = [token](SamplerState& state) -> SamplerCoroutine {
                           std::vector<double> d(state.x.size());
                           for (std::size_t i = 0; i + 1 < state.sigmas.size(); ++i) {
                             co_yield Question{state.x, state.sigmas[i], d};
                             for (std::size_t k = 0; k < d.size(); ++k) state.x[k] = *token * d[k];
                           }
                         }};
    samplings.emplace_back(own, sigmas, start);
  }
  Sampling sampling = std::move(samplings.front());
  samplings.clear();
  while (sampling.question()) answer(sampling);
  EXPECT_NE(sampling.x()[0], start[0]);
}

TEST(SamplingTest, OwnSamplersNeedAWalk) {
  EXPECT_THROW(Sampling(OwnSampler{.name = "mine", .walk = {}}, {2, 1}, {0.5}), Error);
  try {
    std::vector<double> x{1};
    run_sampler(
        OwnSampler{.name = "mine", .walk = [](SamplerState& state) { return own_euler(state, INFINITY); }},
        gaussian_denoiser, std::vector<double>{2, 1}, {}, x);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::non_finite);
    EXPECT_NE(std::string_view(error.what()).find("mine"), std::string_view::npos) << error.what();
  }
}

}  // namespace
}  // namespace diffusion
