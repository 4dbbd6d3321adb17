#pragma once

#include "data/data_options.h"
#include "data/dataset_table.h"

namespace diffusion {

// The set spoken-digits: mel pictures of one split, labels the digits. It is looked for as load_data() says:
// the folder recordings/, its WAV files themselves, or an archive (free-spoken-digit-dataset.tar, packed or
// not, or the published v1.0.10.tar.gz), whose recordings must be the 3,000 of version 1.0.10. Errors as
// load_data().
LoadedData load_spoken_digits(const DatasetEntry& entry, const DataOptions& options);

}  // namespace diffusion
