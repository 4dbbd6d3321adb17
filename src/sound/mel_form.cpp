#include "sound/mel_form.h"

#include <fmt/format.h>

#include <bit>
#include <string>

#include <diffusion/error.h>
#include "formats/json_fields.h"

namespace diffusion {

namespace {

constexpr int kMostFft = 1 << 16, kMostSide = 4096, kMostRate = 768'000;

void require(bool holds, const char* field, int value, const std::string& accepted) {
  if (!holds)
    throw Error(ErrorKind::usage, fmt::format("{} is {}; accepted is {}", field, value, accepted), {field});
}

}  // namespace

void validate(const MelForm& form) {
  const auto within = [](const char* field, int value, int least, int most) {
    require(value >= least && value <= most, field, value, fmt::format("{} to {}", least, most));
  };
  within("x_res", form.x_res, 2, kMostSide);
  within("y_res", form.y_res, 2, kMostSide);
  within("sample_rate", form.sample_rate, 1, kMostRate);
  require(form.n_fft >= 4 && form.n_fft <= kMostFft && std::has_single_bit(unsigned(form.n_fft)), "n_fft",
          form.n_fft, fmt::format("a power of two, 4 to {}", kMostFft));
  within("hop_length", form.hop_length, 1, form.n_fft / 2);
  within("top_db", form.top_db, 1, 200);
  within("n_iter", form.n_iter, 0, 10'000);
}

std::string describe_mel(const MelForm& form) {
  return fmt::format("{:.3g} s at {} Hz as {} mel bands by {} frames (n_fft {}, hop {}, {} dB)",
                     form.seconds(), form.sample_rate, form.y_res, form.x_res, form.n_fft, form.hop_length,
                     form.top_db);
}

Json to_json(const MelForm& form) {
  return Json::Object{{"_class_name", "Mel"},  {"x_res", form.x_res},
                      {"y_res", form.y_res},   {"sample_rate", form.sample_rate},
                      {"n_fft", form.n_fft},   {"hop_length", form.hop_length},
                      {"top_db", form.top_db}, {"n_iter", form.n_iter}};
}

MelForm parse_mel_form(const Json& json, std::string_view source) {
  const JsonFields f(json, source);
  constexpr int kMost = 1 << 30;
  // The defaults of diffusers, for fields that are absent.
  const MelForm form{f.whole_number("x_res", 256, 0, kMost),         f.whole_number("y_res", 256, 0, kMost),
                     f.whole_number("sample_rate", 22050, 0, kMost), f.whole_number("n_fft", 2048, 0, kMost),
                     f.whole_number("hop_length", 512, 0, kMost),    f.whole_number("top_db", 80, 0, kMost),
                     f.whole_number("n_iter", 32, 0, kMost)};
  try {
    validate(form);
  } catch (const Error& error) {
    throw Error(ErrorKind::bad_input, fmt::format("{}: {}", source, error.what()));
  }
  return form;
}

}  // namespace diffusion
