#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "device/device.h"
#include "diffusion/model.h"
#include "formats/safetensors.h"
#include "train/caption_tokens.h"

namespace diffusion {

// What a text encoder that does not learn makes of all captions of a run: computed once, kept in a file,
// mapped from then on.
class CaptionStates {
 public:
  // `file` is a safetensors file with one tensor, "hidden_states" [rows, D, T] in F32, and the fingerprint of
  // what it was made of in its metadata: `encoder` (a fingerprint itself), tokens, precision, CPU and
  // version. If it is absent, of something else or broken, it is made anew, and `report` told.
  CaptionStates(const std::filesystem::path& file, const CaptionTokens& captions, const Model& model,
                const std::string& encoder, const Device& device,
                const std::function<void(const std::string&)>& report);

  std::size_t size() const { return size_; }  // numbers of a text, D T

  // The last_hidden_state of a row of the captions, [D, T].
  void read(std::size_t row, std::span<float> states) const;

 private:
  std::optional<SafetensorsFile> file_;
  const TensorView* states_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace diffusion
