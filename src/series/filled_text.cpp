#include "series/filled_text.h"

#include <fmt/format.h>

#include <iterator>

#include <diffusion/error.h>

namespace diffusion {

std::string filled_text(std::string_view csv, std::span<const GapCell> gaps, std::span<const double> values) {
  if (gaps.size() != values.size())
    throw Error(ErrorKind::internal, "filled_text: there are not as many values as gaps");
  std::string text;
  text.reserve(csv.size() + 12 * gaps.size());
  std::size_t done = 0;
  for (std::size_t i = 0; i < gaps.size(); ++i) {  // they stand in the order of the text
    if (gaps[i].offset < done || gaps[i].offset + gaps[i].length > csv.size())
      throw Error(ErrorKind::internal, "filled_text: the gaps are not those of the text");
    text += csv.substr(done, gaps[i].offset - done);
    fmt::format_to(std::back_inserter(text), "{:.7g}", values[i]);
    done = gaps[i].offset + gaps[i].length;
  }
  text += csv.substr(done);
  return text;
}

}  // namespace diffusion
