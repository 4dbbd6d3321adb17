#include "data/prepare.h"

#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <thread>
#include <utility>

#include <diffusion/error.h>
#include "data/cache_folder.h"
#include "data/content_hash.h"
#include "data/decode_samples.h"
#include "data/sample_records.h"
#include "files/fs.h"

namespace diffusion {

namespace fs = std::filesystem;

namespace {

// Larger whenever decoding or resizing changes, so that older caches are made anew.
constexpr std::uint64_t kDecoderVersion = 2;

std::uint64_t hash_of_form(const FormOptions& form) {
  ContentHash hash;
  const auto [height, width] = form.size.value_or(std::array{0, 0});
  for (const int number : {height, width, form.channels.value_or(0), int(form.random_crop)})
    hash.add(std::uint64_t(number));
  if (form.channels != 4)  // otherwise nothing is put on the background
    for (const std::uint8_t value : form.background) hash.add(std::uint64_t(value));
  return hash.value();
}

// The lock, or nothing if another process has it.
std::unique_ptr<FileLock> try_lock(const fs::path& path) {
  try {
    return std::make_unique<FileLock>(path);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::usage) throw;
    return nullptr;
  }
}

fs::path folder_for(const SampleSource& source, std::uint64_t form) {
  const fs::path root = cache_folder();
  if (root.empty())
    throw Error(
        ErrorKind::io,
        fmt::format("There is no folder to keep the prepared images of {} in, because HOME is not set; "
                    "name one in the environment variable DIFFUSION_CACHE_DIR.",
                    source.place.string()));
  ContentHash hash;
  hash.add(source.place.string());
  hash.add(form);
  return root / "folders" / fmt::format("{:016x}", hash.value());
}

}  // namespace

CachedSet prepare_images(const SampleSource& source, const PrepareOptions& options) {
  validate(options.form);
  const std::uint64_t form = hash_of_form(options.form);
  ContentHash content;
  for (const std::uint64_t part : {kDecoderVersion, source.signature, form}) content.add(part);
  const std::uint64_t signature = content.value();
  const fs::path folder = folder_for(source, form), cache = folder / "images.bin";

  const auto open = [&] {
    std::optional<CachedSet> set = open_pixel_cache(cache, signature);
    if (set) set->dataset.name = source.name;
    if (set) check_broken(set->facts, source, options);
    return set;
  };
  if (auto set = open()) return std::move(*set);

  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure)
    throw Error(ErrorKind::io, fmt::format("Cannot create the folder {} for prepared images: {}. Another one "
                                           "can be named in the environment variable DIFFUSION_CACHE_DIR.",
                                           folder.string(), failure.message()));
  std::unique_ptr<FileLock> lock = try_lock(folder / "lock");
  if (!lock && options.talk)
    options.talk(fmt::format("waiting for another process that prepares the images of {}", source.name));
  while (!lock) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    lock = try_lock(folder / "lock");
  }
  if (auto set = open()) return std::move(*set);  // the other process made it
  remove_stale_temporaries(folder);
  decode_samples(source, options, cache, signature);
  if (auto set = open()) return std::move(*set);
  throw Error(
      ErrorKind::io,
      fmt::format("The prepared images in {} cannot be read back as they were written.", cache.string()));
}

}  // namespace diffusion
