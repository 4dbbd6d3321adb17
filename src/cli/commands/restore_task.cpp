#include "cli/commands/restore_task.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>

#include <diffusion/error.h>
#include <diffusion/sampling.h>
#include "base/names.h"
#include "cli/options/picture_input.h"
#include "formats/npy.h"

namespace diffusion {

namespace {

constexpr std::array<std::string_view, 6> kTasks{"mask", "upscale-2", "upscale-4", "blur", "gray", "denoise"};
constexpr double kBlurStd = 1.5;  // pixels

bool is_file(const std::string& task) {
  return std::filesystem::path(task).extension() == ".npy";
}

LinearOperator read_operator(const std::string& file, std::array<int, 3> form) {
  NpyArray<float> array = read_npy_float32(file);
  const std::int64_t numbers = std::int64_t(form[0]) * form[1] * form[2];
  if (array.dims.size() != 2 || array.dims[1] != numbers || array.dims[0] < 1 || array.dims[0] > numbers)
    throw Error(
        ErrorKind::bad_input,
        fmt::format("--task {} has the shape [{}]; accepted is [M, {}], a number of the measurement in each "
                    "row, at most {}.",
                    file, fmt::join(array.dims, ", "), numbers, numbers));
  try {
    return dense_operator(
        form, {int(array.dims[0]), int(numbers), std::vector<double>(array.data.begin(), array.data.end())});
  } catch (const Error& error) {
    throw Error(ErrorKind::bad_input, fmt::format("--task {}: {}.", file, error.what()));
  }
}

LinearOperator operator_of(const RestoreTaskOptions& o, std::array<int, 3> form,
                           const std::vector<bool>& seen) {
  if (is_file(o.task)) return read_operator(o.task, form);
  if (o.task == "mask") return mask_operator(form, seen);
  if (o.task == "upscale-2") return shrink_operator(form, 2);
  if (o.task == "upscale-4") return shrink_operator(form, 4);
  if (o.task == "blur") return blur_operator(form, kBlurStd);
  if (o.task == "gray") return gray_operator(form);
  return identity_operator(form);
}

std::vector<double> numbers_of(std::span<const Image> images) {
  std::vector<double> numbers;
  for (const Image& image : images)
    for (const float value : scale_to_signed(to_tensor(image))) numbers.push_back(value);
  return numbers;
}

// A x of every picture, with noise.
std::vector<double> measure(const LinearOperator& a, std::span<const double> pictures, double sigma,
                            const GenerateOptions& seed) {
  constexpr int kDraw = -1;  // of no sampler
  const std::size_t from = a.input_size(), to = a.output_size(), count = pictures.size() / from;
  std::vector<double> y(count * to), noise(y.size());
  image_noise(seed.seed, std::uint32_t(seed.first), to)(kDraw, noise);
  for (std::size_t k = 0; k < count; ++k)
    a.apply(pictures.subspan(k * from, from), std::span(y).subspan(k * to, to));
  for (std::size_t k = 0; k < y.size(); ++k) y[k] += sigma * noise[k];
  return y;
}

std::vector<double> read_numbers(const std::string& file, std::size_t of_image) {
  NpyArray<float> array = read_npy_float32(file);
  if (array.dims.size() != 2 || array.dims[0] < 1 || array.dims[1] != std::int64_t(of_image))
    throw Error(ErrorKind::bad_input,
                fmt::format("{} has the shape [{}]; accepted is [N, {}], what --task measures.", file,
                            fmt::join(array.dims, ", "), of_image));
  if (!std::ranges::all_of(array.data, [](float value) { return std::isfinite(value); }))
    throw Error(ErrorKind::bad_input,
                fmt::format("{} holds NaN or infinity; a measurement must be finite.", file));
  return {array.data.begin(), array.data.end()};
}

}  // namespace

void add_task_options(CLI::App& app, RestoreTaskOptions& o) {
  app.add_option("IMAGE", o.image,
                 "What was measured: a picture, or a .npy of many, uint8 [N, H, W, C], which becomes of\nthe "
                 "size that "
                 "the task makes of the model's; with --task FILE.npy float32 [N, M]")
      ->required()
      ->type_name("");
  app.add_option("--task", o.task,
                 fmt::format("What the picture lacks:\n"
                             "  mask: the pixels that are white in --mask\n"
                             "  upscale-2, upscale-4: it is so many times smaller, by means of pixels\n"
                             "  blur: it is blurred, by a Gaussian of {} pixels\n"
                             "  gray: it has no colors\n"
                             "  denoise: it is noisy (--sigma)\n"
                             "  FILE.npy: float32 [M, C H W], the matrix of any linear measurement",
                             kBlurStd))
      ->required()
      ->type_name("TASK");
  app.add_option("--mask", o.mask, "With --task mask: black and white, what is white is missing")
      ->type_name("FILE");
  app.add_option("--sigma", o.sigma, "Standard deviation of the measurement's noise, pixels being -1 to 1")
      ->type_name("X")
      ->capture_default_str();
  app.add_flag("--measure", o.measure,
               "IMAGE is a whole picture: measure it first, with noise, and restore that");
}

void check_task(const RestoreTaskOptions& o) {
  if (!is_file(o.task) && std::ranges::find(kTasks, o.task) == kTasks.end())
    throw Error(ErrorKind::usage, fmt::format("--task is \"{}\"; accepted are {}, and files that end in .npy",
                                              o.task, fmt::join(kTasks, ", ")));
  if ((o.task == "mask") != !o.mask.empty())
    throw Error(ErrorKind::usage,
                o.mask.empty() ? "--task mask needs --mask FILE" : "--mask is for --task mask");
  if (!(o.sigma >= 0 && std::isfinite(o.sigma)))
    throw Error(ErrorKind::usage, fmt::format("--sigma is {}; accepted is 0 or more", o.sigma));
  if (o.task == "denoise" && o.sigma == 0)
    throw Error(ErrorKind::usage, "--task denoise needs --sigma, the standard deviation of the noise");
}

Measurement read_measurement(const RestoreTaskOptions& o, const Model& model, const GenerateOptions& seed) {
  const std::array<int, 3> form = picture_form(model);
  std::vector<bool> seen;
  GivenPictures given;
  if (o.measure || o.task == "mask") given = read_pictures(o.image, model);
  if (o.task == "mask") {
    const Image mask = read_mask(o.mask, given, model);
    for (int c = 0; c < form[0]; ++c)
      for (const std::uint8_t pixel : mask.pixels) seen.push_back(pixel == 0);
  }
  Measurement measurement{operator_of(o, form, seen), {}, 0};
  const LinearOperator& a = measurement.a;
  if (o.measure)
    measurement.numbers = measure(a, numbers_of(given.images), o.sigma, seed);
  else if (is_file(o.task))
    measurement.numbers = read_numbers(o.image, a.output_size());
  else
    measurement.numbers = numbers_of(read_pictures(o.image, a.to()).images);
  measurement.count = int(measurement.numbers.size() / a.output_size());
  return measurement;
}

}  // namespace diffusion
