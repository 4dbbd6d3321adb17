#include "diffusion/restoration.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <numeric>
#include <vector>

#include <diffusion/error.h>
#include <diffusion/sampling.h>
#include "base/rng.h"
#include "diffusion/spacings.h"
#include "support/fixtures.h"

namespace diffusion {
namespace {

using Form = std::array<int, 3>;

std::vector<double> normal_numbers(std::size_t count, std::uint32_t sample) {
  std::vector<double> numbers(count);
  fill_normal({3, Stream::shapes, sample, 0}, numbers);
  return numbers;
}

double dot(std::span<const double> a, std::span<const double> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

std::vector<std::pair<const char*, LinearOperator>> operators() {
  const Form form{3, 8, 4};
  std::vector<bool> seen;
  for (int k = 0; k < 96; ++k) seen.push_back(k % 3 != 0);
  return {{"identity", identity_operator(form)},
          {"mask", mask_operator(form, seen)},
          {"shrink", shrink_operator(form, 2)},
          {"blur", blur_operator(form, 0.7)},
          {"gray", gray_operator(form)},
          {"dense", dense_operator(form, {20, 96, normal_numbers(std::size_t(20 * 96), 9)})}};
}

TEST(LinearOperator, TransposeAndPseudoInverseAreThoseOfTheFunction) {
  for (const auto& [name, a] : operators()) {
    const std::vector<double> x = normal_numbers(a.input_size(), 1), y = normal_numbers(a.output_size(), 2);
    std::vector<double> ax(a.output_size()), aty(a.input_size()), c(a.input_size()), back(a.input_size());
    a.apply(x, ax);
    a.transpose(y, aty);
    EXPECT_NEAR(dot(ax, y), dot(x, aty), 1e-10) << name;
    a.to_basis(x, c);
    a.from_basis(c, back);
    double sum = 0;
    for (std::size_t k = 0; k < x.size(); ++k) {
      EXPECT_NEAR(back[k], x[k], 1e-12) << name;
      sum += a.singular()[k] * a.singular()[k] * c[k] * c[k];
    }
    EXPECT_NEAR(sum, dot(ax, ax), 1e-9) << name << ": |A x|";
    std::vector<double> again(a.output_size());
    a.pseudo_inverse(ax, back);
    a.apply(back, again);
    for (std::size_t k = 0; k < ax.size(); ++k) EXPECT_NEAR(again[k], ax[k], 1e-9) << name << ": A A^+ A x";
  }
}

TEST(LinearOperator, MeansAndGrayValuesKeepTheRangeOfPixels) {
  for (const auto& [name, a] : operators()) {
    if (std::string_view(name) == "dense" || std::string_view(name) == "mask") continue;
    const std::vector<double> white(a.input_size(), 1);
    std::vector<double> y(a.output_size());
    a.apply(white, y);
    for (const double value : y) EXPECT_NEAR(value, 1, 1e-12) << name;
  }
}

TEST(LinearOperator, RefusesWhatMeasuresNothingOrSomethingTwice) {
  const Form form{1, 2, 2};
  const auto message = [&](LinearOperator::Matrix matrix) {
    return std::string(fixtures::error_of([&] { dense_operator(form, std::move(matrix)); }).what());
  };
  EXPECT_NE(message({2, 4, {1, 0, 0, 0, 2, 0, 0, 0}}).find("1 of its 2 rows are independent"),
            std::string::npos);
  EXPECT_NE(message({1, 4, {0, 0, 0, 0}}).find("independent"), std::string::npos);
  EXPECT_NE(message({1, 3, {0, 0, 0}}).find("rows of 4"), std::string::npos);
  EXPECT_NE(message({1, 4, {0, std::nan(""), 0, 0}}).find("NaN"), std::string::npos);
  EXPECT_THROW(mask_operator(form, std::vector<bool>(4, false)), Error);
  EXPECT_THROW(shrink_operator({1, 7, 8}, 2), Error);
  EXPECT_THROW(gray_operator(form), Error);
  EXPECT_THROW(identity_operator({1, 0, 0}), Error);
  EXPECT_THROW(LinearOperator(form, {{{}, {1, 2, {1, 1}}, {}}}, std::vector<bool>(4, true)), Error);
}

// Data that are N(m, C), C = L L^T of two numbers: D, its Jacobian and the posterior of a measurement are
// known.
struct Data {
  std::array<double, 2> m{0.4, -0.3};
  std::array<double, 4> c{0.5, 0.3, 0.3, 0.4};
};

using Two = std::array<double, 4>;  // a 2 x 2 matrix

Two multiplied(const Two& a, const Two& b) {
  return {a[0] * b[0] + a[1] * b[2], a[0] * b[1] + a[1] * b[3], a[2] * b[0] + a[3] * b[2],
          a[2] * b[1] + a[3] * b[3]};
}
Two inverse(const Two& a) {
  const double det = a[0] * a[3] - a[1] * a[2];
  return {a[3] / det, -a[1] / det, -a[2] / det, a[0] / det};
}

// C (C + sigma^2)^-1, the Jacobian of D.
Two jacobian(const Data& data, double sigma) {
  Two sum = data.c;
  sum[0] += sigma * sigma;
  sum[3] += sigma * sigma;
  return multiplied(data.c, inverse(sum));
}

Denoiser denoiser_of(const Data& data) {
  return [=](std::span<const double> x, double sigma, std::span<double> denoised) {
    const Two j = jacobian(data, sigma);
    for (std::size_t k = 0; k < x.size(); k += 2) {
      const double a = x[k] - data.m[0], b = x[k + 1] - data.m[1];
      denoised[k] = data.m[0] + j[0] * a + j[1] * b;
      denoised[k + 1] = data.m[1] + j[2] * a + j[3] * b;
    }
  };
}

DenoiserProduct product_of(const Data& data) {
  return
      [=](std::span<const double> x, double sigma, std::span<const double> probe, std::span<double> product) {
        const Two j = jacobian(data, sigma);
        for (std::size_t k = 0; k < x.size(); k += 2) {
          product[k] = j[0] * probe[k] + j[2] * probe[k + 1];
          product[k + 1] = j[1] * probe[k] + j[3] * probe[k + 1];
        }
      };
}

struct Moments {
  std::array<double, 2> mean{};
  Two covariance{};
};

// Of the first number alone, y = x_0 + N(0, s^2).
Moments posterior(const Data& data, double y, double s) {
  const double gain0 = data.c[0] / (data.c[0] + s * s), gain1 = data.c[2] / (data.c[0] + s * s);
  return {{data.m[0] + gain0 * (y - data.m[0]), data.m[1] + gain1 * (y - data.m[0])},
          {data.c[0] - gain0 * data.c[0], data.c[1] - gain0 * data.c[1], data.c[2] - gain1 * data.c[0],
           data.c[3] - gain1 * data.c[1]}};
}

Moments moments_of(std::span<const double> x) {
  Moments m;
  const double n = double(x.size()) / 2;
  for (std::size_t k = 0; k < x.size(); ++k) m.mean[k % 2] += x[k] / n;
  for (std::size_t k = 0; k < x.size(); k += 2)
    for (std::size_t i = 0; i < 2; ++i)
      for (std::size_t j = 0; j < 2; ++j)
        m.covariance[2 * i + j] += (x[k + i] - m.mean[i]) * (x[k + j] - m.mean[j]) / n;
  return m;
}

struct Errors {
  double mean = 0, covariance = 0;
};

Errors errors_of(const Moments& found, const Moments& exact) {
  Errors errors;
  for (std::size_t k = 0; k < 2; ++k)
    errors.mean = std::max(errors.mean, std::abs(found.mean[k] - exact.mean[k]));
  for (std::size_t k = 0; k < 4; ++k)
    errors.covariance = std::max(errors.covariance, std::abs(found.covariance[k] - exact.covariance[k]));
  return errors;
}

// The error of a method's mean and covariance over many images.
Errors error_of_method(const Data& data, RestoreMethod method, int steps, double sigma_y, double y = 1,
                       double eta = 0.85, double dps_step = 0.05) {
  constexpr std::size_t kImages = 4000;
  const Form form{1, 1, 2};
  const LinearOperator a = mask_operator(form, {true, false});
  const auto known =
      std::make_shared<const Measured>(measured(a, std::vector<double>{y, 0}, sigma_y, 0, kImages));
  const std::vector<double> sigmas = karras_sigmas(steps, 0.002, 80);
  const NoiseSource noise = image_noise(5, 0, 2);
  std::vector<double> x(2 * kImages);
  noise(0, x);
  for (double& value : x) value *= sigmas.front();
  Sampler sampler = Ddpm{};
  Denoiser denoise = denoiser_of(data);
  if (method == RestoreMethod::pigdm) {
    sampler = Dpmpp{};
    denoise = pigdm_denoiser(denoiser_of(data), product_of(data), known);
  } else if (method == RestoreMethod::dps) {
    denoise = dps_denoiser(denoiser_of(data), product_of(data), known, sigmas, dps_step);
  } else {
    sampler = spectral_sampler(method, known, eta);
  }
  run_sampler(sampler, denoise, sigmas, noise, x);
  return errors_of(moments_of(x), posterior(data, y, sigma_y));
}

constexpr Data kUnit{.m = {0.4, -0.3}, .c = {1, 0, 0, 1}};

// Where the images that x can come from are N(D, sigma^2 / (1 + sigma^2)), as it takes them to be.
TEST(Restoration, PigdmIsExactForDataOfVarianceOne) {
  for (const double sigma_y : {0.0, 0.3}) {
    const Errors error = error_of_method(kUnit, RestoreMethod::pigdm, 40, sigma_y);
    EXPECT_LT(error.mean, 0.05) << sigma_y;
    EXPECT_LT(error.covariance, 0.06) << sigma_y;
  }
}

// The known number is the measurement's, and what it says of the other number arrives with more steps.
TEST(Restoration, MeansOfDdrmAndDdnmFallWithSteps) {
  for (const RestoreMethod method : {RestoreMethod::ddrm, RestoreMethod::ddnm}) {
    const double few = error_of_method({}, method, 10, 0).mean,
                 many = error_of_method({}, method, 100, 0).mean;
    EXPECT_LT(many, 0.5 * few) << to_string(method);
    EXPECT_LT(many, 0.1) << to_string(method);
  }
}

// Recorded, not wanted: D is a mean, and putting it in the place of a draw loses variance (of 1 here); DPS
// takes the picture to be D, without any doubt.
TEST(Restoration, BiasesAreAsKnown) {
  for (const RestoreMethod method : {RestoreMethod::ddrm, RestoreMethod::ddnm}) {
    const double lost = error_of_method(kUnit, method, 100, 0).covariance;
    EXPECT_GT(lost, 0.2) << to_string(method);
    EXPECT_LT(lost, 0.35) << to_string(method);
  }
  const Errors noisy = error_of_method({}, RestoreMethod::dps, 100, 0.3);
  EXPECT_GT(noisy.mean, 0.05);
  EXPECT_LT(noisy.mean, 0.25);
  EXPECT_LT(error_of_method({}, RestoreMethod::dps, 100, 0).mean,
            error_of_method({}, RestoreMethod::dps, 10, 0).mean);
}

// In the last step noise-free measurements take their place exactly; noisy ones do not.
TEST(Restoration, NoiseFreeMeasurementsHoldInTheEnd) {
  const LinearOperator a = shrink_operator({1, 4, 4}, 2);
  const std::vector<double> y{0.5, -0.25, 0.1, 0.9};
  const auto known = std::make_shared<const Measured>(measured(a, y, 0, 0, 3));
  const Denoiser denoise = [](std::span<const double> x, double sigma, std::span<double> denoised) {
    for (std::size_t k = 0; k < x.size(); ++k) denoised[k] = x[k] / (1 + sigma * sigma);
  };
  for (const RestoreMethod method : {RestoreMethod::ddrm, RestoreMethod::ddnm}) {
    const NoiseSource noise = image_noise(2, 0, 16);
    std::vector<double> x(48);
    noise(0, x);
    run_sampler(spectral_sampler(method, known, 0.85), denoise, karras_sigmas(10, 0.02, 10), noise, x);
    std::vector<double> ax(4);
    for (std::size_t image = 0; image < 3; ++image) {
      a.apply(std::span(x).subspan(16 * image, 16), ax);
      for (std::size_t k = 0; k < 4; ++k) EXPECT_NEAR(ax[k], y[k], 1e-12) << to_string(method);
    }
  }
}

}  // namespace
}  // namespace diffusion
