#pragma once

#include "data/pixel_cache.h"
#include "data/sample_source.h"

namespace diffusion {

// The images of a source in one form, from the cache (cache_folder.h) if they have been prepared before and
// the source has not changed; otherwise they are decoded into it, with memory for one image a worker.
// Processes that want the same images at once wait for the first. Broken files are left out and listed.
// Throws Error(bad_input) if there is no image, if too many are broken, if only some have labels, or if sizes
// differ and no size is asked for; Error(io) if the cache cannot be written.
CachedSet prepare_images(const SampleSource& source, const PrepareOptions& options);

}  // namespace diffusion
