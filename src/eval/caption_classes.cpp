#include "eval/caption_classes.h"

#include <fmt/format.h>

#include <cstdint>
#include <limits>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <diffusion/error.h>
#include "eval/image_sets.h"

namespace diffusion {

namespace {

// Of an image that has words.
std::string_view first_caption(const Dataset& data, int i) {
  return data.captions.text(i, 0);
}

std::vector<int> images_with_words(const Dataset& data) {
  if (data.captions.empty())
    throw Error(ErrorKind::usage, fmt::format("{} has no captions", data.name), {"captions"});
  std::vector<int> images;
  for (int i = 0; i < data.count(); ++i)
    if (data.captions.count(i) > 0) images.push_back(i);
  return images;
}

}  // namespace

Dataset with_caption_classes(const Dataset& data) {
  const std::vector<int> images = images_with_words(data);
  Dataset result = some_images(data, images);
  std::unordered_map<std::string_view, std::size_t> classes;
  result.labels.clear();
  result.class_names.clear();
  for (const int i : images) {
    const auto [found, is_new] = classes.emplace(first_caption(data, i), classes.size());
    if (is_new) result.class_names.emplace_back(found->first);
    if (found->second > std::numeric_limits<std::uint16_t>::max())
      throw Error(
          ErrorKind::usage,
          fmt::format("{} has more than 65,536 captions; a classifier has no more classes", data.name));
    result.labels.push_back(std::uint16_t(found->second));
  }
  return result;
}

Dataset with_caption_classes(const Dataset& data, const std::vector<std::string>& class_names) {
  Dataset result = with_caption_classes(data);
  std::unordered_map<std::string_view, std::uint16_t> known;
  for (std::size_t k = 0; k < class_names.size(); ++k) known.emplace(class_names[k], std::uint16_t(k));
  std::vector<std::uint16_t> numbers;
  std::vector<std::string> unknown;
  for (const std::string& caption : result.class_names)
    if (const auto found = known.find(caption); found != known.end())
      numbers.push_back(found->second);
    else
      unknown.push_back(caption);
  if (!unknown.empty())
    throw Error(
        ErrorKind::usage,
        fmt::format("the feature network does not know {} of the {} captions of {}, such as \"{}\"; make "
                    "one with diffusion train-features --captions, of all pictures",
                    unknown.size(), result.class_names.size(), data.name, unknown.front()),
        {"features"});
  for (std::uint16_t& label : result.labels) label = numbers[label];
  result.class_names = class_names;
  return result;
}

}  // namespace diffusion
