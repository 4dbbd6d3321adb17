#include "serve/running_job.h"

#include <fmt/format.h>

#include <cstdint>
#include <utility>

#include <diffusion/error.h>
#include "diffusion/picture_walk.h"
#include "diffusion/samplers/repaint.h"
#include "diffusion/turned_noise.h"

namespace diffusion::serve {

namespace {

bool shows(int previews, int step, int steps) {
  return (std::int64_t(step + 1) * previews) / steps > (std::int64_t(step) * previews) / steps;
}

}  // namespace

PreparedJob prepare_job(const ServedModel& served, const JobRequest& request) {
  const GenerateOptions& sampling = request.options.sampling;
  const Model& model = served.model();
  const SamplingRecipe recipe = recipe_of(model, sampling);
  check_request(model, recipe, sampling);
  const PictureSize size = size_of(model, sampling);
  if (size.height != served.size().height || size.width != served.size().width)
    throw Error(ErrorKind::usage,
                fmt::format("the size is {} x {}; accepted is that of the model, {} x {}", size.width,
                            size.height, served.size().width, served.size().height),
                {"size"});
  PreparedJob prepared{prepare_recipe(model, recipe, size.elements()), 0};
  check_goes_down(prepared.recipe);
  // What a sampler does not like of options and levels it says when it starts.
  Sampling(prepared.recipe.sampler, prepared.recipe.levels.sigmas, {0.0}, image_noise(0, 0, 1));
  if (request.to_seed && (sampling.count < 2 || !request.pictures.empty()))
    throw Error(
        ErrorKind::usage,
        fmt::format("count is {} and to_seed is given; accepted are 2 images or more, made from noise",
                    sampling.count),
        {"to_seed"});
  if (request.pictures.empty()) return prepared;
  check_pictures(request.pictures, size);
  check_edit(request.options, size);
  const int steps = int(prepared.recipe.levels.sigmas.size()) - 1;
  prepared.first_step = std::size_t(first_step_of(request.options.strength, steps));
  return prepared;
}

RunningJob::RunningJob(ServedModel& model, std::shared_ptr<Job> job, PreparedJob prepared)
    : model_(model), job_(std::move(job)), prepared_(std::move(prepared)) {
  const int images = job_->request().options.sampling.count;
  std::size_t steps = prepared_.recipe.levels.sigmas.size() - 1 - prepared_.first_step;
  const EditOptions& edit = job_->request().options;
  if (!job_->request().pictures.empty() && !edit.mask.pixels.empty() && steps > 0)  // moves, up and down
    steps = repaint_path(steps, edit.jump, edit.resample).size() - 1;
  job_->start(int(steps) * images);
  steps_left_.assign(std::size_t(images), steps);
  for (int image = 0; image < images; ++image)
    if (steps > 0)
      start(image);
    else
      job_->image_done(image, original(image));
}

const Image& RunningJob::original(int image) const {
  const JobRequest& request = job_->request();
  return request.pictures[std::size_t(request.options.sampling.first + image) % request.pictures.size()];
}

void RunningJob::start(int image) {
  const JobRequest& request = job_->request();
  const GenerateOptions& sampling = request.options.sampling;
  const Model& model = model_.model();
  const int index = sampling.first + (request.to_seed ? 0 : image);
  std::vector<double> noise(model_.size().elements());
  start_noise(sampling, image, noise, noise.size());
  const ImageRange range{sampling.seed, std::uint32_t(index), 1};
  Conditions conditions = conditions_of(model, sampling, index, 1),
             unconditional = unconditional_of(model, sampling, 1);
  const auto tell = [this, image](const SamplerStep& step) { on_step(image, step); };
  std::unique_ptr<ImageSampling> walk;
  if (request.to_seed) {
    walk = std::make_unique<ImageSampling>(prepared_.recipe, frame_noise(image), std::move(conditions),
                                           std::move(unconditional), tell);
  } else if (request.pictures.empty() || (prepared_.first_step == 0 && request.options.mask.pixels.empty())) {
    walk = std::make_unique<ImageSampling>(prepared_.recipe, range, std::move(noise), std::move(conditions),
                                           std::move(unconditional), tell);
  } else {
    const EditWalk edit{request.options, prepared_.recipe, prepared_.first_step};
    std::vector<double> numbers = picture_numbers(request.pictures, model_.size(), index, 1);
    std::vector<double> x = edit.start(std::move(noise), numbers);
    walk = std::make_unique<ImageSampling>(
        prepared_.recipe, range, edit.sampler(std::move(numbers), model_.size().channels), edit.sigmas(),
        std::move(x), std::move(conditions), std::move(unconditional), tell);
  }
  open_.push_back({image, std::move(walk)});
}

NoiseSource RunningJob::frame_noise(int frame) const {
  const JobRequest& request = job_->request();
  const std::size_t size = model_.size().elements();
  GenerateOptions from = request.options.sampling, to = from;
  to.seed = *request.to_seed;
  return turned_noise(noise_of_one(from, size), noise_of_one(to, size), {double(frame) / (from.count - 1)},
                      size);
}

RowOffer RunningJob::offer() const {
  RowOffer offer{{}, 0};
  const auto evaluations = std::size_t(facts_of(prepared_.recipe.sampler).evaluations);
  for (const Open& open : open_) {
    offer.rows.push_back(open.walk->asked().own);
    offer.rows_left += offer.rows.back() * evaluations * steps_left_[std::size_t(open.image)];
  }
  return offer;
}

void RunningJob::on_step(int image, const SamplerStep& step) {
  steps_left_[std::size_t(image)] = std::size_t(step.count - step.index - 1);
  JobEvent event{image, step.index + 1, step.count};
  if (!shows(job_->request().previews, step.index, step.count)) return job_->step_done(event);
  const Image preview = picture(step.x, step.sigma_next);
  event.preview = &preview;
  job_->step_done(event);
}

Image RunningJob::picture(std::span<const double> x, double sigma) const {
  const double scale = model_.model().preconditioner.picture_scale(sigma);
  std::vector<double> shown(x.begin(), x.end());
  for (double& value : shown) value *= scale;
  return to_image(shown, model_.size().channels, model_.size().height, model_.size().width);
}

Image RunningJob::result(int image, std::span<const double> x) const {
  Image result = picture(x, prepared_.recipe.levels.sigmas.back());
  const Image& mask = job_->request().options.mask;
  if (!job_->request().pictures.empty() && !mask.pixels.empty())
    keep_known_pixels(mask, original(image), result);
  return result;
}

void RunningJob::answer(std::size_t sampling, std::span<const double> denoised) {
  Open& open = open_[sampling];
  open.walk->answer(denoised, {});
  if (!open.walk->finished()) return;
  job_->image_done(open.image, result(open.image, open.walk->x()));
}

void RunningJob::drop_finished() {
  std::erase_if(open_, [](const Open& open) { return open.walk->finished(); });
}

}  // namespace diffusion::serve
