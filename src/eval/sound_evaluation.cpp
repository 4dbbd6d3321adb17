#include "eval/sound_evaluation.h"

#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

#include <diffusion/error.h>
#include "base/workers.h"
#include "eval/bootstrap.h"
#include "sound/griffin_lim.h"
#include "sound/mel_picture.h"

namespace diffusion {

namespace {

constexpr int kResamples = 1000;

Score recognized(Extractor& extractor, const Dataset& data, std::string_view part) {
  const std::vector<int> predicted = extractor.of(data, part).predicted;
  std::vector<double> right;
  for (std::size_t k = 0; k < predicted.size(); ++k) right.push_back(predicted[k] == int(data.labels[k]));
  return bootstrap_mean(right, kResamples, 0);
}

// The same images in memory of their own, whatever part of a larger set they are.
Dataset plain(const Dataset& data) {
  std::vector<std::uint8_t> pixels;
  Dataset copy{data.name, data.height, data.width, data.channels, {}, {}, data.class_names};
  for (int k = 0; k < data.count(); ++k) {
    const auto image = data.image(k);
    pixels.insert(pixels.end(), image.begin(), image.end());
    copy.labels.push_back(data.labels[std::size_t(k)]);
  }
  copy.pixels = PixelStore(std::move(pixels));
  return copy;
}

}  // namespace

Dataset heard(const Dataset& mels, const MelForm& form, std::uint64_t seed) {
  std::vector<std::uint8_t> pixels(std::size_t(mels.count()) * std::size_t(mels.height * mels.width));
  const std::size_t size = pixels.size() / std::size_t(std::max(1, mels.count()));
  const auto convert = [&](int, int k) {
    const auto bytes = mels.image(k);
    const Sound sound =
        sound_of({mels.width, mels.height, 1, {bytes.begin(), bytes.end()}}, form, seed, std::uint32_t(k));
    const Image again = mel_picture(sound, form, mels.name);
    std::ranges::copy(again.pixels, pixels.begin() + std::ptrdiff_t(std::size_t(k) * size));
  };
  Workers workers(std::max(1, int(std::thread::hardware_concurrency())), [](int) {});
  workers.run(mels.count(), convert);
  Dataset result{mels.name,   mels.height,     mels.width, 1, PixelStore(std::move(pixels)),
                 mels.labels, mels.class_names};
  return result;
}

SoundReport evaluate_sound(EvalNetwork& net, const Dataset& real_test, const Dataset& samples,
                           const MelForm& form, std::uint64_t seed, const EvaluationWatch& watch) {
  if (!classifier_of(net))
    throw Error(ErrorKind::usage, "what is said is recognized by a classifier (diffusion train-features)");
  if (real_test.labels.empty() || samples.labels.empty())
    throw Error(ErrorKind::usage, "real clips and samples need labels");
  const Dataset real = plain(real_test), drawn = plain(samples);
  Extractor extractor(net, watch);
  return {recognized(extractor, real, "real clips"),
          recognized(extractor, heard(real, form, seed), "real clips, heard"),
          recognized(extractor, drawn, "samples"),
          recognized(extractor, heard(drawn, form, seed), "samples, heard")};
}

}  // namespace diffusion
