// Measures what docs/editing.md says of restoring and inverting: pictures of a test set, their restorations
// by every method beside what needs no model, and how like them they come back from their noise.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <string>
#include <vector>

#include <diffusion/device.h>
#include <diffusion/edit.h>
#include <diffusion/error.h>
#include <diffusion/generate.h>
#include <diffusion/restore.h>
#include <diffusion/sampling.h>
#include "data/registry.h"
#include "diffusers/pipeline.h"
#include "diffusion/model.h"
#include "diffusion/picture_walk.h"
#include "eval/bootstrap.h"
#include "eval/feature_network.h"
#include "eval/frechet.h"
#include "eval/image_sets.h"
#include "eval/likeness.h"
#include "timing.h"
#include "without_model.h"

namespace diffusion {
namespace {

struct Options {
  std::string model, classifier, data = "fashion-mnist";
  std::vector<std::string> tasks{"mask", "upscale-2", "upscale-4", "blur"},
      methods{"none", "ddnm", "ddrm", "pigdm"};
  std::vector<double> sigmas{0, 0.05};
  std::vector<int> steps{20};
  std::string sampler = "heun";
  double dps_step = RestoreOptions{}.dps_step;
  int count = 1000, batch = 64;
  BenchMachine machine;
};

// The first `count` test pictures, and what they are compared with.
struct Pictures {
  Dataset data;
  std::vector<Image> images;
};

Dataset test_set(const Options& o) {
  DataOptions source;
  source.split = Split::test;
  source.allow_download = false;
  return load_dataset(o.data, source);
}

Pictures read_pictures(const Options& o) {
  const Dataset all = test_set(o);
  std::vector<int> numbers(std::size_t(std::min(o.count, all.count())));
  std::iota(numbers.begin(), numbers.end(), 0);
  Pictures pictures{some_images(all, numbers), {}};
  for (const int k : numbers) pictures.images.push_back(image_of(all, k));
  return pictures;
}

// Of each picture the mean of its class in the training set: knows what it is, and nothing of how it looks.
std::vector<Image> class_means(const Options& o, const Dataset& pictures) {
  DataOptions source;
  source.allow_download = false;
  const Dataset training = load_dataset(o.data, source);
  const std::size_t size = training.image(0).size(), classes = training.class_names.size();
  std::vector<double> sums(classes * size), counts(classes);
  for (int i = 0; i < training.count(); ++i) {
    const std::size_t label = training.labels.at(std::size_t(i));
    const auto pixels = training.image(i);
    for (std::size_t k = 0; k < size; ++k) sums[label * size + k] += pixels[k];
    ++counts[label];
  }
  std::vector<Image> means;
  for (const std::size_t label : pictures.labels) {
    means.push_back({pictures.width, pictures.height, pictures.channels, {}});
    for (std::size_t k = 0; k < size; ++k)
      means.back().pixels.push_back(std::uint8_t(std::lround(sums[label * size + k] / counts[label])));
  }
  return means;
}

LinearOperator operator_of(const std::string& task, std::array<int, 3> form) {
  if (task == "upscale-2") return shrink_operator(form, 2);
  if (task == "upscale-4") return shrink_operator(form, 4);
  if (task == "blur") return blur_operator(form, 1.5);
  if (task == "mask") {  // the lower half is missing
    const std::size_t size = std::size_t(form[0]) * std::size_t(form[1]) * std::size_t(form[2]);
    const auto width = std::size_t(form[2]), height = std::size_t(form[1]);
    std::vector<bool> seen(size);
    for (std::size_t k = 0; k < size; ++k) seen[k] = k / width % height < height / 2;
    return mask_operator(form, seen);
  }
  throw Error(ErrorKind::usage,
              fmt::format("--tasks has {}; accepted are mask, upscale-2, upscale-4, blur", task));
}

// A x of every picture with noise, as `diffusion restore --measure` has it.
std::vector<double> measure(const LinearOperator& a, std::span<const Image> images, double sigma) {
  constexpr int kDraw = -1;
  const std::array<int, 3> form = a.from();
  const PictureSize size{form[0], form[1], form[2]};
  const std::vector<double> x = picture_numbers(images, size, 0, int(images.size()));
  const std::size_t from = a.input_size(), to = a.output_size();
  std::vector<double> y(images.size() * to), noise(y.size());
  image_noise(0, 0, to)(kDraw, noise);
  for (std::size_t k = 0; k < images.size(); ++k)
    a.apply(std::span(x).subspan(k * from, from), std::span(y).subspan(k * to, to));
  for (std::size_t k = 0; k < y.size(); ++k) y[k] += sigma * noise[k];
  return y;
}

class Judge {
 public:
  Judge(const Options& o, const Pictures& pictures)
      : net_(read_eval_network(o.classifier, o.data)),
        extractor_(net_, {}),
        pictures_(pictures),
        real_(gaussian_of(extractor_.of_real(test_set(o), "real").features)),
        said_(extractor_.of(pictures.data, "originals").predicted) {}

  void print_row(const std::string& what, std::span<const Image> images) {
    double psnr = 0, ssim = 0;
    for (std::size_t k = 0; k < images.size(); ++k) {
      psnr += peak_signal_to_noise(images[k], pictures_.images[k]) / double(images.size());
      ssim += structural_similarity(images[k], pictures_.images[k]) / double(images.size());
    }
    const Extracted extracted = extractor_.of(dataset_of(images, what), what);
    double same = 0;
    for (std::size_t k = 0; k < images.size(); ++k) same += extracted.predicted[k] == said_[k] ? 1 : 0;
    const Score agreement = share_of_trials(same / double(images.size()), double(images.size()));
    fmt::print("| {} | {} | {:.1f} | {:.2f} | {:.2f} | {:.1f}% ({:.1f} to {:.1f}) |\n", what, images.size(),
               psnr, ssim, frechet_distance(gaussian_of(extracted.features), real_), 100 * agreement.value,
               100 * agreement.interval.low, 100 * agreement.interval.high);
    std::fflush(stdout);
  }

 private:
  EvalNetwork net_;
  Extractor extractor_;
  const Pictures& pictures_;
  Gaussian real_;
  std::vector<int> said_;
};

SamplingRecipe recipe_for(const Model& model, RestoreMethod method, int steps) {
  SamplingRecipe recipe = default_recipe(model);
  if (method == RestoreMethod::dps) recipe = with_sampler(scheduler_recipe(model), Ddpm{}, model);
  if (method == RestoreMethod::pigdm) recipe = with_sampler(scheduler_recipe(model), Ddim{}, model);
  recipe.steps = steps;
  return recipe;
}

void restore_all(const Options& o) {
  prepare(o.machine);
  const auto device = make_cpu_device(Precision::f32);
  Model model = read_pipeline(o.model);
  const Pictures pictures = read_pictures(o);
  Judge judge(o, pictures);
  fmt::print(
      "| what | pictures | PSNR | SSIM | Frechet | same class |\n| --- | --- | --- | --- | --- | --- |\n");
  judge.print_row("originals", pictures.images);
  judge.print_row("class mean", class_means(o, pictures.data));
  const std::array<int, 3> form{pictures.data.channels, pictures.data.height, pictures.data.width};
  for (const std::string& task : o.tasks)
    for (const double sigma : o.sigmas) {
      const LinearOperator a = operator_of(task, form);
      const std::vector<double> y = measure(a, pictures.images, sigma);
      for (const std::string& method : o.methods) {
        if (method == "none") {
          for (const auto& [name, images] : without_model(a, y, sigma))
            judge.print_row(fmt::format("{}, {}: {}", task, sigma, name), images);
          continue;
        }
        const RestoreMethod how = parse_restore_method(method);
        for (const int steps : o.steps) {
          RestoreOptions options{.sampling = {.count = pictures.data.count(), .batch = o.batch},
                                 .method = how,
                                 .sigma = sigma,
                                 .dps_step = o.dps_step};
          options.sampling.recipe = recipe_for(model, how, steps);
          options.sampling.without_class = model.null_class.has_value();
          judge.print_row(fmt::format("{}, {}: {}, {} steps", task, sigma, method, steps),
                          restore(model, *device, a, y, options));
        }
      }
    }
}

void invert_all(const Options& o) {
  prepare(o.machine);
  const auto device = make_cpu_device(Precision::f32);
  Model model = read_pipeline(o.model);
  const Pictures pictures = read_pictures(o);
  fmt::print(
      "| sampler | steps | pictures | PSNR | lowest | exact |\n| --- | --- | --- | --- | --- | --- |\n");
  for (const int steps : o.steps) {
    GenerateOptions sampling{.count = pictures.data.count(), .batch = o.batch};
    sampling.recipe = with_sampler(scheduler_recipe(model), find_sampler(o.sampler), model);
    sampling.recipe->steps = steps;
    sampling.without_class = model.null_class.has_value();
    sampling.noise = invert(model, *device, pictures.images, sampling);
    const std::vector<Image> again = generate(model, *device, sampling);
    double sum = 0, lowest = 1e9;
    int exact = 0;
    for (std::size_t k = 0; k < again.size(); ++k) {
      if (again[k] == pictures.images[k]) {
        ++exact;
        continue;
      }
      const double psnr = peak_signal_to_noise(again[k], pictures.images[k]);
      sum += psnr;
      lowest = std::min(lowest, psnr);
    }
    fmt::print("| {} | {} | {} | {:.1f} | {:.1f} | {} |\n", o.sampler, steps, again.size(),
               sum / std::max(1.0, double(again.size()) - exact), lowest, exact);
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace diffusion

int main(int argc, char** argv) {
  diffusion::Options options;
  CLI::App app("Measures restorations and inversions of test pictures");
  app.require_subcommand(1);
  CLI::App* restore = app.add_subcommand("restore", "PSNR, SSIM, Frechet distance and class agreement");
  restore->add_option("--classifier", options.classifier,
                      "Directory of a feature network; default: by --data");
  restore->add_option("--tasks", options.tasks, "mask, upscale-2, upscale-4, blur")->delimiter(',');
  restore->add_option("--sigmas", options.sigmas, "Noise of the measurement")->delimiter(',');
  restore->add_option("--methods", options.methods, "none (no model), ddnm, ddrm, dps, pigdm")
      ->delimiter(',');
  restore->add_option("--dps-step", options.dps_step, "Of dps");
  CLI::App* invert = app.add_subcommand("invert", "PSNR of pictures that are inverted and sampled again");
  invert->add_option("--sampler", options.sampler, "heun, ddim or euler");
  for (CLI::App* command : {restore, invert}) {
    command->add_option("MODEL", options.model, "A pipeline directory")->required();
    command->add_option("--data", options.data, "Its test pictures are taken");
    command->add_option("-n,--count", options.count, "Pictures, the first of the set");
    command->add_option("--steps", options.steps, "Steps, one or several")->delimiter(',');
    command->add_option("--batch", options.batch, "Pictures at a time");
    diffusion::add_bench_machine_options(*command, options.machine);
  }
  return diffusion::bench_main(app, argc, argv, [&] {
    if (restore->parsed())
      diffusion::restore_all(options);
    else
      diffusion::invert_all(options);
  });
}
