#include "train/teacher.h"

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <string>

#include "base/error.h"

namespace diffusion {

TrainConfig tuning_config(const Model& teacher) {
  const Preconditioner& preconditioner = teacher.preconditioner;
  TrainConfig c;
  c.preset = "distill";
  c.network = teacher.network;
  c.objective = preconditioner.objective();
  if (const NoiseSchedule* schedule = preconditioner.schedule()) {
    c.schedule = schedule->kind;
    c.timesteps = schedule->num_train_timesteps;
    c.beta_start = schedule->beta_start;
    c.beta_end = schedule->beta_end;
  }
  if (preconditioner.edm()) c.edm = *preconditioner.edm();
  if (preconditioner.flow()) c.flow = *preconditioner.flow();
  if (preconditioner.flow()) c.timesteps = c.flow.num_train_timesteps;
  c.consistency = ConsistencyTuning{.teacher = fingerprint_of(teacher)};
  c.conditional = teacher.class_count() > 0;
  if (!teacher.null_class) c.label_dropout = 0;
  c.clip_samples = teacher.clip_x0;
  c.optimizer = OptimizerKind::muon;
  c.learning_rate = 2e-3;
  c.held_out_every = 0;
  c.previews = {.sampler = "consistency", .steps = 2, .spacing = Spacing::angle};
  return c;
}

void check_teacher(const Model& teacher, const Dataset& dataset) {
  const NetworkTraits traits = teacher.traits();
  const std::array size{dataset.example_height(), dataset.example_width()};
  const auto refuse = [&](const std::string& reason) {
    throw Error(ErrorKind::usage, fmt::format("the model cannot be tuned on {}: {}", dataset.name, reason));
  };
  if (traits.in_channels != traits.out_channels ||
      (traits.class_embed_type != ClassEmbedding::none && traits.class_embed_type != ClassEmbedding::table))
    refuse("it is no network that we train");
  if (traits.in_channels != dataset.channels || (traits.sample_size[0] > 0 && traits.sample_size != size))
    refuse(fmt::format("its images are {}x{}x{}, those of the data {}x{}x{}", traits.sample_size[0],
                       traits.sample_size[1], traits.in_channels, size[0], size[1], dataset.channels));
  if (teacher.preconditioner.objective() == Objective::x0)
    refuse(
        "its network predicts x0, but D must be x itself where there is no noise; accepted are models that "
        "predict epsilon, v, edm or flow");
  if (teacher.class_count() == 0) return;
  if (dataset.labels.empty()) refuse("it makes images of a class, and the data have no labels");
  if (teacher.class_count() != int(dataset.class_names.size()))
    refuse(fmt::format("it knows {} classes, the data have {}", teacher.class_count(),
                       dataset.class_names.size()));
  for (std::size_t k = 0; k < teacher.class_names.size(); ++k)
    if (teacher.class_names[k] != dataset.class_names[k])
      refuse(fmt::format("its class {} is \"{}\", that of the data \"{}\"", k, teacher.class_names[k],
                         dataset.class_names[k]));
}

}  // namespace diffusion
