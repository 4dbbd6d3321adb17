#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/sample_source.h"

namespace diffusion {

// Images in tar files, in the habit of the WebDataset library: files that follow each other and have the same
// path up to the first dot of the name belong together,
//   KEY.jpg, .jpeg, .png, .tif, .tiff or .webp   the image
//   KEY.cls                                      its class as a decimal number, or
//   KEY.json                                     an object with a whole number "label" or "cls"
//   KEY.txt                                      its captions, one in each line, or
//   KEY.json                                     an object with a "caption", a text or a list of texts
// and other endings are left out. Images come in the order of the tar files and in that of their members.

// The files that a path means: itself, the tar files of a folder sorted by name, or "train-{000..146}.tar",
// with as many digits as the first number has. Empty if it is no such thing. Error(usage) for a pattern that
// makes no sense, Error(bad_input) for files of a pattern that are missing.
std::vector<std::filesystem::path> find_tar_shards(const std::string& path);

// How an image is called in the archive: its key for the name of its file, and for the key itself. Nothing
// if no image can be called so.
std::optional<std::string> key_of_image(const std::string& file);

// For prepare_images(). `path` is what was given, for messages.
SampleSource tar_shard_source(const std::string& path, std::vector<std::filesystem::path> shards);

}  // namespace diffusion
