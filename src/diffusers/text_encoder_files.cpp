#include "diffusers/text_encoder_files.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include <diffusion/error.h>
#include "diffusers/pipeline.h"
#include "diffusers/weights.h"
#include "files/folders.h"
#include "files/fs.h"
#include "formats/json.h"
#include "nn/text_encoder.h"
#include "words/tokenizer_files.h"

namespace diffusion {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxEncoderConfigBytes = 4 << 20;

ParamLayout layout_of_encoder(const TextEncoderConfig& config) {
  Graph graph;
  text_encoder(graph, config, graph.input("tokens", {1, 1, config.max_position_embeddings, 1}));
  return ParamLayout(graph);
}

fs::path tokenizer_beside(const fs::path& directory) {
  const fs::path folder = component_directory(directory, "tokenizer");
  if (!path_exists(folder / "vocab.json") && !path_exists(folder / "tokenizer.json"))
    throw Error(ErrorKind::bad_input,
                fmt::format("{} has a text encoder, but no tokenizer: there is neither a vocab.json nor a "
                            "tokenizer.json in {}",
                            directory.string(), folder.string()));
  return folder;
}

}  // namespace

TextEncoder read_text_encoder(const fs::path& directory) {
  const fs::path folder = component_directory(directory, "text_encoder");
  const fs::path file = folder / "config.json";
  if (!path_exists(file))
    throw Error(
        ErrorKind::bad_input,
        fmt::format("{} holds no text encoder: there is no text_encoder/config.json and no config.json",
                    directory.string()));
  const Json json = parse_json(read_text_file(file, kMaxEncoderConfigBytes), file.string());
  const TextEncoderConfig config = parse_text_encoder_config(json, file.string());
  Tokenizer tokenizer = read_tokenizer_for(config, file, tokenizer_beside(directory));
  const WeightFiles files = WeightFiles::open(folder, kTextWeightsFile);
  const WeightPart part{files, "text_model."};
  return {config, read_weights({&part, 1}, layout_of_encoder(config)), std::move(tokenizer)};
}

}  // namespace diffusion
