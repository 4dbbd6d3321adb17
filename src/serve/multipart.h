#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace diffusion::serve {

struct FormPart {
  std::string name, file_name;  // file_name is empty for what is no file
  std::string_view content;     // of the body
};

// The parts of a multipart/form-data body (RFC 7578), at most 100. `content_type` is the request's. ApiError
// 400 for a body that is not whole, or parts without a name.
std::vector<FormPart> parse_multipart(std::string_view content_type, std::string_view body);

}  // namespace diffusion::serve
