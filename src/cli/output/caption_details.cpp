#include "cli/output/caption_details.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "cli/options/options.h"
#include "data/caption_report.h"

namespace diffusion {

namespace {

constexpr std::size_t kWordsNamed = 10;
constexpr int kExamples = 5, kUncaptionedNamed = 5;

void row(std::string_view what, const std::string& value) {
  print_line(fmt::format("{:<12} {}", what, value));
}

// The images whose number of captions is 0, or is not.
std::vector<int> images_of(const Captions& captions, bool captioned) {
  std::vector<int> images;
  for (int i = 0; i < captions.images(); ++i)
    if ((captions.count(i) > 0) == captioned) images.push_back(i);
  return images;
}

using WordCounts = std::span<const std::pair<std::string, std::int64_t>>;

void print_words(const CaptionReport& report) {
  const WordCounts words = report.word_counts;
  row("words", fmt::format("{}, {} different", report.words, words.size()));
  std::vector<std::string> frequent, rarest;
  for (const auto& [word, count] : words.first(std::min(words.size(), kWordsNamed)))
    frequent.push_back(fmt::format("{} ({})", word, count));
  row("", fmt::format("most frequent: {}", fmt::join(frequent, ", ")));
  const std::int64_t least = words.back().second;
  const auto rare =
      words.last(std::size_t(std::ranges::count(words, least, &WordCounts::element_type::second)));
  for (const auto& [word, count] : rare.first(std::min(rare.size(), kWordsNamed))) rarest.push_back(word);
  row("", fmt::format("rarest: {}{} ({} word{} with a count of {})", fmt::join(rarest, ", "),
                      rare.size() > rarest.size() ? ", ..." : "", rare.size(), rare.size() == 1 ? "" : "s",
                      least));
}

void print_images_without(const Captions& captions, const ImageName& name_of) {
  const std::vector<int> without = images_of(captions, false);
  if (without.empty()) return;
  std::vector<std::string> names;
  for (std::size_t k = 0; k < std::min<std::size_t>(without.size(), kUncaptionedNamed); ++k)
    names.push_back(name_of(without[k]));
  row("", fmt::format("none for {}{}", fmt::join(names, ", "),
                      without.size() > names.size()
                          ? fmt::format(" and {} more (--json lists all)", without.size() - names.size())
                          : ""));
}

void print_examples(const Captions& captions, const ImageName& name_of) {
  const std::vector<int> images = images_of(captions, true);
  const std::size_t count = std::min<std::size_t>(images.size(), kExamples);
  for (std::size_t e = 0; e < count; ++e) {
    const int image = images[e * images.size() / count];
    for (std::size_t k = 0; k < captions.count(image); ++k)
      row(e == 0 && k == 0 ? "examples" : "",
          k == 0 ? fmt::format("{}: \"{}\"", name_of(image), captions.text(image, k))
                 : fmt::format("    or \"{}\"", captions.text(image, k)));
  }
}

}  // namespace

void print_captions(const Dataset& dataset, const ImageName& name_of) {
  const Captions& captions = dataset.captions;
  const CaptionReport report = report_on(captions);
  row("captions", fmt::format("{}", report.captions));
  for (const auto& [count, images] : report.images_with)
    row("", fmt::format("{:>7}  images with {} caption{}", images, count, count == 1 ? "" : "s"));
  print_images_without(captions, name_of);
  if (report.captions == 0) return;  // a part of a data set
  print_words(report);
  const auto& longest = report.longest;
  row("longest", fmt::format("{} characters, {} words: \"{}\" ({})", longest.characters, longest.words,
                             longest.text, name_of(longest.image)));
  print_examples(captions, name_of);
}

Json captions_to_json(const Dataset& dataset, const ImageName& name_of) {
  const CaptionReport report = report_on(dataset.captions);
  Json::Array per_image, words, without;
  for (const auto& [count, images] : report.images_with)
    per_image.push_back(Json::Object{{"captions", count}, {"images", images}});
  for (const auto& [word, count] : report.word_counts)
    words.push_back(Json::Object{{"word", word}, {"count", count}});
  for (const int image : images_of(dataset.captions, false)) without.push_back(name_of(image));
  Json longest_json;
  if (const auto& longest = report.longest; report.captions > 0)
    longest_json = Json::Object{{"image", name_of(longest.image)},
                                {"text", longest.text},
                                {"characters", longest.characters},
                                {"words", longest.words}};
  return Json::Object{{"count", report.captions},          {"words", report.words},
                      {"per_image", std::move(per_image)}, {"word_counts", std::move(words)},
                      {"uncaptioned", std::move(without)}, {"longest", std::move(longest_json)}};
}

}  // namespace diffusion
