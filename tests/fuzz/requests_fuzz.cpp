// What the server reads of a request before it knows a model: JSON and its fields, base64, multipart. The
// first byte chooses.

#include <algorithm>
#include <string>
#include <string_view>
#include "fuzz_input.h"

#include <diffusion/error.h>
#include "serve/api.h"
#include "serve/base64.h"
#include "serve/multipart.h"

namespace {

using namespace diffusion;
using namespace diffusion::serve;

void require_sound(bool holds, const char* what) {
  if (!holds) throw Error(ErrorKind::internal, what);
}

void read_json(std::string_view text) {
  const Json json = parse_request(std::string(text));
  const RequestFields fields(json);
  const int steps = fields.whole_number("steps", 1, 1, 1000);
  require_sound(steps >= 1 && steps <= 1000, "steps out of range");
  const double guidance = fields.number("guidance", 1, -1000, 1000);
  require_sound(guidance >= -1000 && guidance <= 1000, "guidance out of range");
  require_sound(fields.seed("seed", 0) >= 0, "a negative seed");
  fields.flag("stream", false);
  from_base64(fields.text("image", ""));
  fields.refuse_unknown();
}

void read_base64(std::string_view text) {
  const auto bytes = from_base64(text);
  require_sound(!bytes || to_base64(*bytes) == text, "base64 that is not what its bytes are written as");
}

// A line of Content-Type, then the body.
void read_multipart(std::string_view text) {
  const std::string_view type = text.substr(0, text.find('\n')),
                         body = text.substr(std::min(type.size() + 1, text.size()));
  for (const FormPart& part : parse_multipart(type, body))
    require_sound(part.content.size() <= body.size() && !part.name.empty(), "a part that is not of the body");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    if (data[0] == 'j') read_json(text);
    if (data[0] == 'b') read_base64(text);
    if (data[0] == 'm') read_multipart(text);
  } catch (const ApiError& error) {
    require_sound(error.status == 400, error.what());
    parse_json(error_answer(ApiForm::own, error).body, "our own answer");
  }
  return 0;
}
