#include "data/decode_samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <limits>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include <diffusion/error.h>
#include <diffusion/picture_files.h>
#include "data/content_hash.h"
#include "data/sample_records.h"
#include "files/fs.h"

namespace diffusion {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kMaxFileBytes = std::uint64_t(1) << 30;

// One pass over a source with everything decided but perhaps the size.
class Decoding {
 public:
  enum class Outcome { complete, needs_color };

  Decoding(const SampleSource& source, const PrepareOptions& options, fs::path cache)
      : source_(source), options_(options), cache_(std::move(cache)), reader_(source.open()) {}

  // `channels`: 1, 3, 4, or open for what the first image says. needs_color: the first was gray, another is
  // not.
  Outcome run(std::optional<int> channels);
  void commit(std::uint64_t signature);

 private:
  struct Numbered {
    std::size_t index;
    Sample sample;
  };

  std::optional<Numbered> next();
  void note_broken(const Numbered& numbered, const std::string& reason);
  std::optional<Image> decode_or_note(const Numbered& numbered);
  void begin(const Image& first, std::optional<int> channels);
  void store(const Numbered& numbered, const Image& image);
  void work();
  void run_workers();
  void stop_with(std::exception_ptr error);

  const SampleSource& source_;
  const PrepareOptions& options_;
  fs::path cache_;
  SampleReader reader_;
  std::mutex reader_mutex_;

  ImageForm form_;
  std::array<int, 2> size_{0, 0};  // without the margin
  bool gray_by_guess_ = false;
  std::string first_name_;
  std::unique_ptr<PixelCacheWriter> writer_;

  std::atomic<bool> stop_ = false, found_color_ = false;
  std::mutex mutex_;  // of all below
  std::vector<SampleRecord> records_;
  std::vector<BrokenFile> broken_;  // as they come
  std::int64_t done_ = 0;
  std::exception_ptr error_;
  int working_ = 0;
  std::condition_variable worker_ended_;
};

std::optional<Decoding::Numbered> Decoding::next() {
  const std::lock_guard reading(reader_mutex_);
  if (stop_) return std::nullopt;
  std::optional<Sample> sample = reader_();
  if (!sample) return std::nullopt;
  const std::lock_guard lock(mutex_);
  if (records_.size() >= std::size_t(std::numeric_limits<int>::max()))
    throw Error(ErrorKind::bad_input, fmt::format("{} holds more than {} images.", source_.place.string(),
                                                  std::numeric_limits<int>::max()));
  records_.push_back({sample->name, "", sample->label});
  return Numbered{records_.size() - 1, std::move(*sample)};
}

void Decoding::note_broken(const Numbered& numbered, const std::string& reason) {
  const std::lock_guard lock(mutex_);
  records_[numbered.index].reason = reason;
  broken_.push_back({numbered.sample.name, reason});
  ++done_;
  if (std::int64_t(broken_.size()) > options_.max_broken.value_or(kMostBrokenByDefault))
    refuse_broken(broken_, source_, options_.max_broken.value_or(kMostBrokenByDefault));
}

// Nothing if the file is broken, which is then on record.
std::optional<Image> Decoding::decode_or_note(const Numbered& numbered) {
  try {
    return source_.decode ? source_.decode(numbered.sample) : decode_sample(numbered.sample);
  } catch (const Error& error) {
    note_broken(numbered, error.what());
    return std::nullopt;
  }
}

void Decoding::begin(const Image& first, std::optional<int> channels) {
  const FormOptions& wanted = options_.form;
  size_ = wanted.size.value_or(std::array{first.height, first.width});
  if (std::max(size_[0], size_[1]) > kMaxFormSide)
    throw Error(
        ErrorKind::bad_input,
        fmt::format("The images of {} have {} x {} pixels, larger than any that can be trained; give a "
                    "smaller size",
                    source_.place.string(), first.width, first.height),
        {"size"});
  const std::array<int, 2> margin = wanted.random_crop ? crop_margin(size_) : std::array{0, 0};
  gray_by_guess_ = !channels && first.channels <= 2;
  form_ = {size_[0] + margin[0], size_[1] + margin[1], channels.value_or(gray_by_guess_ ? 1 : 3),
           wanted.background};
  writer_ = std::make_unique<PixelCacheWriter>(
      cache_, std::size_t(form_.height) * std::size_t(form_.width) * std::size_t(form_.channels),
      source_.expected);
}

void Decoding::store(const Numbered& numbered, const Image& image) {
  const std::string& name = numbered.sample.name;
  if (gray_by_guess_ && image.channels > 2) {
    found_color_ = stop_ = true;
    return;
  }
  if (!options_.form.size && (image.height != size_[0] || image.width != size_[1]))
    throw Error(
        ErrorKind::bad_input,
        fmt::format("The images of {} have different sizes: {} has {} x {} pixels (width x height) and {} "
                    "has {} x {}. Give the size that all shall get",
                    source_.place.string(), first_name_, size_[1], size_[0], name, image.width, image.height),
        {"size"});
  Image fitted;
  try {
    fitted = fit_image(image, form_);
  } catch (const Error& error) {  // far too long: as good as broken
    return note_broken(numbered, fmt::format("{}: {}", name, error.what()));
  }
  writer_->write(std::int64_t(numbered.index), fitted.pixels);
  const std::uint64_t hash = hash_of(fitted.pixels);
  const std::lock_guard lock(mutex_);
  SampleRecord& record = records_[numbered.index];
  record.hash = hash;
  record.size = {image.height, image.width};
  ++done_;
}

void Decoding::stop_with(std::exception_ptr error) {
  stop_ = true;
  const std::lock_guard lock(mutex_);
  if (!error_) error_ = std::move(error);
}

void Decoding::work() {
  try {
    while (!stop_) {
      const std::optional<Numbered> numbered = next();
      if (!numbered) break;
      if (const std::optional<Image> image = decode_or_note(*numbered)) store(*numbered, *image);
    }
  } catch (...) {
    stop_with(std::current_exception());
  }
  const std::lock_guard lock(mutex_);
  --working_;
  worker_ended_.notify_all();
}

// This thread only reports progress meanwhile.
void Decoding::run_workers() {
  const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
  const int count = options_.workers > 0 ? options_.workers : int(cores);
  std::vector<std::jthread> workers;
  working_ = count;
  try {
    for (int i = 0; i < count; ++i) workers.emplace_back([this] { work(); });
    std::unique_lock lock(mutex_);
    while (working_ > 0) {
      worker_ended_.wait_for(lock, std::chrono::milliseconds(100));
      const std::int64_t done = done_;
      lock.unlock();
      if (options_.progress) options_.progress(done, source_.expected);
      lock.lock();
    }
    lock.unlock();
    if (options_.progress) options_.progress(done_, source_.expected);  // the workers have ended
  } catch (...) {  // the threads there are end by themselves before this is passed on
    stop_ = true;
    throw;
  }
}

Decoding::Outcome Decoding::run(std::optional<int> channels) {
  // The first image that can be read decides what is open.
  while (const std::optional<Numbered> numbered = next()) {
    const std::optional<Image> image = decode_or_note(*numbered);
    if (!image) continue;
    first_name_ = numbered->sample.name;
    begin(*image, channels);
    store(*numbered, *image);
    break;
  }
  if (writer_) run_workers();
  if (error_) std::rethrow_exception(error_);
  return found_color_ ? Outcome::needs_color : Outcome::complete;
}

void Decoding::commit(std::uint64_t signature) {
  std::vector<std::uint64_t> hashes;
  for (std::size_t i = 0; i < records_.size(); ++i) {
    if (!records_[i].reason.empty()) continue;
    // Down to where broken ones left a gap.
    if (hashes.size() < i) writer_->move(std::int64_t(i), std::int64_t(hashes.size()));
    hashes.push_back(records_[i].hash);
  }
  CachedSet set = describe_samples(records_, source_);
  set.dataset.height = form_.height;
  set.dataset.width = form_.width;
  set.dataset.channels = form_.channels;
  set.dataset.margin = {form_.height - size_[0], form_.width - size_[1]};
  check_broken(set.facts, source_, options_);
  writer_->commit(set, hashes, signature);
}

}  // namespace

Image decode_sample(const Sample& sample) {
  if (const auto* path = std::get_if<fs::path>(&sample.content))
    return decode_image(read_file(*path, kMaxFileBytes), path->string());
  return decode_image(std::get<std::vector<std::byte>>(sample.content), sample.name);
}

void decode_samples(const SampleSource& source, const PrepareOptions& options, const fs::path& cache,
                    std::uint64_t signature) {
  std::optional<int> channels = options.form.channels;
  while (true) {
    Decoding decoding(source, options, cache);
    if (decoding.run(channels) == Decoding::Outcome::complete) return decoding.commit(signature);
    channels = 3;
  }
}

}  // namespace diffusion
