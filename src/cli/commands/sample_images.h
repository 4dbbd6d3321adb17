#pragma once

// For the command `sample`: images are made part by part, and written as they come where that is possible.

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <diffusion/generate.h>
#include "base/progress.h"
#include "cli/output/picture_stream.h"
#include "diffusion/model.h"
#include "diffusion/pictures.h"
#include "formats/npy_writer.h"
#include "train/communicator.h"
#include "train/generate_together.h"

namespace diffusion {

struct SampleFiles {
  std::vector<PictureOutput> outputs;  // the first is -o, another that of --gif
  std::string raw;                     // empty: none
  int frames = 0;                      // at most, of an animation
  bool keep_all = false;               // for another use than the outputs

  bool animated() const;
};

// Error(io) if the arrays have no room on their disks.
void check_room(const SampleFiles& files, const Model& model, int count);

// What happens to images as they are made.
class SampleSink {
 public:
  // Of several processes only the leader writes.
  SampleSink(const SampleFiles& files, const Model& model, const GenerateOptions& options,
             const Communicator& communicator);

  // Makes the images of the options that the constructor got. Returns all that are needed at the end. Throws
  // Stopped, and leaves no file, soon after `stop` is true.
  std::vector<Image> make(Model& model, const Device& device, Progress& progress,
                          const std::atomic<bool>& stop);
  struct Stopped {};

  const DenoisingFrames& frames() const { return *frames_; }  // of an animation

  // Puts what was written as it came under its final name.
  void commit();

 private:
  void record(const GenerateStep& step);

  GenerateOptions options_;
  const Communicator& communicator_;
  int at_once_;
  StepsTold told_;
  std::optional<PictureStream> pictures_;
  std::optional<NpyWriter> raw_;  // [count, C, H, W]
  std::unique_ptr<DenoisingFrames> frames_;
};

}  // namespace diffusion
