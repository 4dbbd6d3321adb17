#include "train/caption_states.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <utility>
#include <vector>

#include <diffusion/device.h>
#include <diffusion/error.h>
#include "base/version.h"
#include "diffusion/text_encoding.h"
#include "files/atomic_file.h"
#include "files/folders.h"
#include "files/sha256.h"
#include "formats/json.h"

namespace diffusion {

namespace {

namespace fs = std::filesystem;

constexpr const char* kTensor = "hidden_states";
constexpr const char* kFingerprint = "fingerprint";

static_assert(std::endian::native == std::endian::little);

std::string fingerprint_of(const CaptionTokens& captions, const std::string& encoder, const Device& device) {
  const std::string text = fmt::format("{} {} {} {} {} {}", encoder, sha256(std::as_bytes(captions.all())),
                                       captions.length(), device.name(), cpu_description(), version());
  return sha256(std::as_bytes(std::span(text)));
}

// The file, if it holds what is wanted.
std::optional<SafetensorsFile> open_states(const fs::path& path, const std::string& fingerprint,
                                           const std::vector<std::int64_t>& dims) try {
  if (!path_exists(path)) return std::nullopt;
  SafetensorsFile file = SafetensorsFile::open(path);
  const TensorView* states = file.find(kTensor);
  const auto found = file.metadata().find(kFingerprint);
  if (!states || states->dtype != "F32" || states->dims != dims || found == file.metadata().end() ||
      found->second != fingerprint)
    return std::nullopt;
  return file;
} catch (const Error&) {
  return std::nullopt;
}

// Row by row, as there may be more than memory holds.
void write_states(const fs::path& path, const std::string& fingerprint, const std::vector<std::int64_t>& dims,
                  const CaptionTokens& captions, TextEncoding& encoding) {
  const std::int64_t bytes = dims[0] * dims[1] * dims[2] * std::int64_t(sizeof(float));
  const Json::Object tensor{{"dtype", "F32"},
                            {"shape", Json::Array{dims[0], dims[1], dims[2]}},
                            {"data_offsets", Json::Array{0, bytes}}};
  std::string header =
      dump_json(Json::Object{{"__metadata__", Json::Object{{kFingerprint, fingerprint}}}, {kTensor, tensor}});
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = header.size();
  AtomicFile file(path);
  file.append(std::as_bytes(std::span(&length, 1)));
  file.append(std::as_bytes(std::span(header)));
  for (std::size_t row = 0; row < captions.rows(); ++row)
    file.append(std::as_bytes(encoding.hidden_states(captions.tokens(row))));
  file.commit();
}

}  // namespace

CaptionStates::CaptionStates(const fs::path& path, const CaptionTokens& captions, const Model& model,
                             const std::string& encoder, const Device& device,
                             const std::function<void(const std::string&)>& report) {
  const std::int64_t width = std::get<WordsConfig>(model.network).text_encoder.hidden_size;
  const std::vector<std::int64_t> dims{std::int64_t(captions.rows()), width, std::int64_t(captions.length())};
  const std::string fingerprint = fingerprint_of(captions, encoder, device);
  file_ = open_states(path, fingerprint, dims);
  if (!file_) {
    report(fmt::format("encoding {} texts once, into {}", captions.rows(), path.string()));
    TextEncoding encoding(model.network, model.params, device);
    write_states(path, fingerprint, dims, captions, encoding);
    file_ = open_states(path, fingerprint, dims);
  }
  if (!file_) throw Error(ErrorKind::io, fmt::format("{} is not what was written", path.string()));
  states_ = file_->find(kTensor);
  size_ = std::size_t(dims[1] * dims[2]);
}

void CaptionStates::read(std::size_t row, std::span<float> states) const {
  std::memcpy(states.data(), states_->data.data() + row * size_ * sizeof(float), states.size_bytes());
}

}  // namespace diffusion
