#include "cli/commands/sample_images.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace diffusion {

namespace {

bool comes_one_by_one(const PictureOutput& output) {
  return output.form == PictureForm::npy || output.form == PictureForm::directory;
}

std::array<std::int64_t, 4> dims_of(const Model& model, int count) {
  const NetworkTraits t = model.traits();
  return {count, t.in_channels, t.sample_size[0], t.sample_size[1]};
}

// As many whole batches as fit into a little memory. More would gain nothing: a batch takes much longer than
// it takes to begin.
int batches_in_memory(const Model& model, const GenerateOptions& g) {
  constexpr std::uint64_t kBytes = 1 << 20;
  const std::uint64_t batch = npy_bytes(NpyType::uint8, dims_of(model, g.batch));
  const auto images = std::max<std::uint64_t>(kBytes / batch, 1) * std::uint64_t(g.batch);
  return int(std::min(images, std::uint64_t(g.count)));
}

}  // namespace

bool SampleFiles::animated() const {
  return std::ranges::count(outputs, PictureForm::gif, &PictureOutput::form) > 0;
}

void check_room(const SampleFiles& files, const Model& model, int count) {
  const auto dims = dims_of(model, count);
  std::vector<PlannedFile> planned;
  if (const PictureOutput& output = files.outputs.front(); output.form == PictureForm::npy)
    planned.push_back({output.path, npy_bytes(NpyType::uint8, dims)});
  if (!files.raw.empty()) planned.push_back({files.raw, npy_bytes(NpyType::float32, dims)});
  check_disk_space(planned);
}

SampleSink::SampleSink(const SampleFiles& files, const Model& model, const GenerateOptions& options,
                       const Communicator& communicator)
    : options_(options), communicator_(communicator), at_once_(options.count) {
  const auto dims = dims_of(model, options.count);
  const PictureOutput& output = files.outputs.front();
  if (comes_one_by_one(output) && !files.animated() && !files.keep_all)
    at_once_ = batches_in_memory(model, options) * communicator.size();
  told_ = files.animated() ? StepsTold::all : files.raw.empty() ? StepsTold::none : StepsTold::last;
  if (!communicator.leads()) return;
  if (comes_one_by_one(output))
    pictures_.emplace(output, options.count, int(dims[3]), int(dims[2]), int(dims[1]));
  if (!files.raw.empty()) raw_.emplace(files.raw, NpyType::float32, dims);
  if (files.animated()) frames_ = std::make_unique<DenoisingFrames>(model, options, files.frames);
}

void SampleSink::record(const GenerateStep& step) {
  if (frames_) frames_->record(step);
  if (raw_ && step.step + 1 == step.steps) raw_->append(std::vector<float>(step.x.begin(), step.x.end()));
}

std::vector<Image> SampleSink::make(Model& model, const Device& device, Progress& progress,
                                    const std::atomic<bool>& stop) {
  std::vector<Image> images;
  for (int done = 0; done < options_.count; done += at_once_) {
    const GenerateOptions part = part_of(options_, done, std::min(at_once_, options_.count - done));
    images = generate_together(communicator_, model, device, part, told_, [&](const GenerateStep& step) {
      if (stop) throw Stopped{};
      record(step);
      const double share = double(step.step + 1) / step.steps;
      progress.update((done + step.first_image + share * step.images) / options_.count,
                      fmt::format("step {}/{}", step.step + 1, step.steps));
    });
    if (!pictures_) continue;
    for (std::size_t k = 0; k < images.size(); ++k)
      pictures_->append(images[k], fmt::format("{:06}", std::size_t(part.first) + k));
  }
  return images;
}

void SampleSink::commit() {
  if (pictures_) pictures_->commit();
  if (raw_) raw_->commit();
}

}  // namespace diffusion
