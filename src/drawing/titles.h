#pragma once

// Words beside pictures. All functions take gray or RGB pictures of one size and keep their pixels as they
// are, on white; Error(usage) for others, and where pictures and titles differ in number or there are none.

#include <span>
#include <string>
#include <vector>

#include <diffusion/image.h>

namespace diffusion {

// Each picture with its title above, centered. The results are of one size: that of the pictures, taller by
// the title, and as wide as the widest title if that is wider.
std::vector<Image> with_titles(std::span<const Image> pictures, std::span<const std::string> titles);

// Each picture with words below, in at most `lines` lines as wide as the picture or wider; what does not fit
// ends in "...". The results are of one size. Error(usage) for less than one line, too.
std::vector<Image> with_captions(std::span<const Image> pictures, std::span<const std::string> captions,
                                 int lines);

// The pictures (rows of a grid, say) below one another, `gap` pixels apart, with titles at their left.
Image with_row_titles(std::span<const Image> rows, std::span<const std::string> titles, int gap);

}  // namespace diffusion
