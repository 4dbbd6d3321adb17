#pragma once

#include <diffusion/image.h>

namespace diffusion {

// Shows a picture in the terminal that stdout is, in the best way it knows (drawing/terminal_picture.h).
// False, with nothing written, if stdout is no terminal or NO_COLOR is set: then say where the file is. Where
// the environment does not tell what the terminal can do, it is asked, and has 100 ms to answer. A `legible`
// picture has writing in it: then terminals whose pixels are half characters count as none.
bool show_picture(const Image& image, bool legible = false);

}  // namespace diffusion
