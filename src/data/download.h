#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace diffusion {

// Called from time to time: the file's name, the bytes so far and the bytes in all (0 while unknown).
using DownloadProgress =
    std::function<void(const std::string& file, std::uint64_t bytes, std::uint64_t total)>;

// Fetches one file (http, https, or file for tests) and puts it at `destination`, whose folder must exist.
// The content goes to a temporary file beside it, which is renamed only when it is complete, has the MD5 sum
// given (32 lower-case hex digits; empty: any) and has reached the disk; so there is never a partial file
// under the final name. Gives up when connecting takes 10 s or when less than 1 kB/s has come for 30 s.
// Throws Error(io) if the network or the file system fails, Error(bad_input) if the content is not what was
// published.
void download_file(const std::string& url, const std::filesystem::path& destination, const std::string& md5,
                   const DownloadProgress& progress);

}  // namespace diffusion
