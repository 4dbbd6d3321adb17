#include "cli/output/likelihood_report.h"

#include <fmt/format.h>

#include <utility>
#include <variant>

#include "cli/options/options.h"

namespace diffusion {

namespace {

const char* name_of(DdpmVariance variance) {
  return variance == DdpmVariance::posterior ? "posterior" : "beta";
}

Json to_json(const MeanOfImages& mean) {
  return Json::Object{{"value", mean.value}, {"standard_error", mean.standard_error}};
}

}  // namespace

void print_likelihood(const BitsPerDimension& bits, std::string_view data) {
  const auto row = [](std::string_view name, const MeanOfImages& mean, std::string_view note) {
    print_line(fmt::format("{:<18} {:>9.5f}  +- {:.5f}  {}", name, mean.value, mean.standard_error, note));
  };
  print_line(fmt::format("bits per dimension of {} images of {}{}, upper bounds, +- standard error",
                         bits.images, data, bits.given_class ? ", their classes given" : ""));
  if (bits.bound) {
    const BoundBits& b = *bits.bound;
    row("variational_bound", b.total,
        fmt::format("prior {:.5f}, steps {:.5f} ({} variance), decoder {:.5f} ({} variance)", b.prior,
                    b.steps, name_of(b.steps_variance), b.decoder, name_of(b.decoder_variance)));
  }
  row("ode", bits.ode, "probability-flow ODE, uniform dequantization");
}

Json to_json(const BitsPerDimension& bits) {
  Json::Object json{{"images", bits.images}, {"given_class", bits.given_class}, {"ode", to_json(bits.ode)}};
  if (bits.bound) {
    const BoundBits& b = *bits.bound;
    Json::Object bound = std::get<Json::Object>(to_json(b.total).value());
    bound["prior"] = b.prior;
    bound["steps"] = b.steps;
    bound["decoder"] = b.decoder;
    bound["steps_variance"] = name_of(b.steps_variance);
    bound["decoder_variance"] = name_of(b.decoder_variance);
    json["variational_bound"] = std::move(bound);
  }
  return json;
}

}  // namespace diffusion
