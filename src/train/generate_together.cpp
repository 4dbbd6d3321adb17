#include "train/generate_together.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <utility>

#include <diffusion/error.h>
#include "base/version.h"
#include "diffusion/golden_pass.h"
#include "formats/json.h"
#include "train/run_setup.h"

namespace diffusion {

namespace {

// Bytes one after the other.
class Parcel {
 public:
  template <typename T, std::size_t N>
  void put(std::span<T, N> values) {
    const auto bytes = std::as_bytes(values);
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  template <typename T, std::size_t N>
  void take(std::span<T, N> values) {
    if (!values.empty()) std::memcpy(values.data(), bytes_.data() + taken_, values.size_bytes());
    taken_ += values.size_bytes();
  }
  bool is_empty() const { return taken_ == bytes_.size(); }
  std::vector<std::byte>& bytes() { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
  std::size_t taken_ = 0;
};

void put_image(const Image& image, Parcel& parcel) {
  const std::array size{image.width, image.height, image.channels};
  parcel.put(std::span(size));
  parcel.put(std::span(image.pixels));
}

Image take_image(Parcel& parcel) {
  std::array<int, 3> size{};
  parcel.take(std::span(size));
  Image image{size[0], size[1], size[2], {}};
  image.pixels.resize(std::size_t(size[0]) * std::size_t(size[1]) * std::size_t(size[2]));
  parcel.take(std::span(image.pixels));
  return image;
}

void put_step(const GenerateStep& step, Parcel& parcel) {
  const std::array numbers{step.step, step.steps, step.first_image, step.images, int(step.x.size())};
  parcel.put(std::span(numbers));
  parcel.put(step.x);
}

// Those of a process whose first image is number `first_image` of the call.
void tell_steps(Parcel& parcel, int first_image, const std::function<void(const GenerateStep&)>& on_step) {
  std::vector<double> x;
  while (!parcel.is_empty()) {
    std::array<int, 5> numbers{};
    parcel.take(std::span(numbers));
    x.resize(std::size_t(numbers[4]));
    parcel.take(std::span(x));
    on_step({numbers[0], numbers[1], first_image + numbers[2], numbers[3], x});
  }
}

// What decides the bytes of the pictures. A hash of some numbers of the network stands for its weights, the
// program and the CPU.
Json what_must_agree(const Model& model, const Device& device, const GenerateOptions& options) {
  const SamplingRecipe recipe = recipe_of(model, options);
  const std::string numbers = dump_json(to_json(make_golden_pass(model, device)));
  return Json::Object{{"seed", std::int64_t(options.seed)},
                      {"first", options.first},
                      {"count", options.count},
                      {"label", options.label ? Json(*options.label) : Json(nullptr)},
                      {"prompts", Json::Array(options.prompts.begin(), options.prompts.end())},
                      {"negative", options.negative_prompt},
                      {"sampler", std::string(name_of(recipe.sampler))},
                      {"steps", recipe.steps},
                      {"guidance", recipe.guidance.scale},
                      {"cpu", cpu_description()},
                      {"version", version()},
                      {"an evaluation", fmt::format("{:016x}", std::hash<std::string>{}(numbers))}};
}

}  // namespace

GenerateOptions part_of(const GenerateOptions& all, int done, int count) {
  GenerateOptions part = all;
  part.first += done;
  part.count = count;
  part.batch = std::min(part.batch, count);
  const std::size_t noise = all.noise.size() / std::size_t(all.count);
  const auto begin = all.noise.begin() + std::ptrdiff_t(noise * std::size_t(done));
  part.noise.assign(begin, begin + std::ptrdiff_t(noise * std::size_t(count)));
  return part;
}

void check_same_pictures(const Communicator& communicator, const Model& model, const Device& device,
                         const GenerateOptions& options) {
  if (communicator.size() == 1) return;
  const Json mine = what_must_agree(model, device, options);
  const std::vector<std::string> all = communicator.gather(dump_json(mine));
  for (std::size_t rank = 1; communicator.leads() && rank < all.size(); ++rank) {
    const std::string name = communicator.name(int(rank));
    const std::string found = differences(parse_json(all[rank], name), mine);
    if (!found.empty())
      throw Error(ErrorKind::usage,
                  fmt::format("{} makes other pictures than {}: {}", name, communicator.name(0), found));
  }
  communicator.follow_leader();
}

std::vector<Image> generate_together(const Communicator& communicator, const Model& model,
                                     const Device& device, const GenerateOptions& options, StepsTold told,
                                     const std::function<void(const GenerateStep&)>& on_step) {
  if (communicator.size() == 1) return generate(model, device, options, on_step);
  const SliceRange mine = communicator.share_of(options.count, communicator.rank());
  std::vector<Image> images;
  Parcel steps;
  if (mine.count > 0)
    images = generate(model, device, part_of(options, mine.first, mine.count), [&](const GenerateStep& step) {
      on_step({step.step, step.steps, mine.first + step.first_image, step.images, step.x});
      if (told == StepsTold::all || (told == StepsTold::last && step.step + 1 == step.steps))
        put_step(step, steps);
    });
  Parcel parcel;
  for (const Image& image : images) put_image(image, parcel);
  parcel.put(std::span(std::as_const(steps.bytes())));
  if (communicator.leads()) parcel = {};
  std::vector<std::vector<std::byte>> sent = communicator.give_leader(parcel.bytes());
  for (int r = 1; communicator.leads() && r < communicator.size(); ++r) {
    const SliceRange theirs = communicator.share_of(options.count, r);
    Parcel arrived;
    arrived.bytes() = std::move(sent[std::size_t(r)]);
    for (int k = 0; k < theirs.count; ++k) images.push_back(take_image(arrived));
    tell_steps(arrived, theirs.first, on_step);
  }
  if (!communicator.leads()) images.clear();
  return images;
}

}  // namespace diffusion
