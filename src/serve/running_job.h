#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "diffusion/edit_walk.h"
#include "diffusion/image_sampling.h"
#include "serve/job.h"
#include "serve/row_packer.h"
#include "serve/served_model.h"

namespace diffusion::serve {

// What a request comes to on a model, worked out and checked: what generate() or edit() would do.
struct PreparedJob {
  PreparedRecipe recipe;
  std::size_t first_step;  // of an edit; as many as there are: it changes nothing
};

// Error(usage) as generate() and edit() have it, and for pictures of another size than the model's.
PreparedJob prepare_job(const ServedModel& model, const JobRequest& request);

// A job while it is evaluated: one pausable sampling for each image. For the engine's thread.
class RunningJob {
 public:
  // Tells the job that it starts. `model` must outlive this.
  RunningJob(ServedModel& model, std::shared_ptr<Job> job, PreparedJob prepared);

  ServedModel& model() const { return model_; }
  Job& job() const { return *job_; }
  bool finished() const { return open_.empty(); }

  RowOffer offer() const;
  void ask(std::size_t sampling, Rows& rows) const { open_[sampling].walk->ask(rows, no_guide_); }
  // Takes the answer to what it asked for, and tells the job of a step or an image that is done by it. Throws
  // what the sampler throws.
  void answer(std::size_t sampling, std::span<const double> denoised);
  // After the answers of a turn, whose numbers of samplings this changes.
  void drop_finished();

 private:
  struct Open {
    int image;
    std::unique_ptr<ImageSampling> walk;  // its callback has its image
  };

  void start(int image);
  NoiseSource frame_noise(int frame) const;
  void on_step(int image, const SamplerStep& step);
  Image picture(std::span<const double> x, double sigma) const;
  Image result(int image, std::span<const double> x) const;
  const Image& original(int image) const;

  ServedModel& model_;
  std::shared_ptr<Job> job_;
  PreparedJob prepared_;
  std::vector<std::size_t> steps_left_;  // of each image
  std::vector<Open> open_;
  mutable Rows no_guide_;
};

}  // namespace diffusion::serve
