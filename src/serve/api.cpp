#include "serve/api.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <utility>

#include <diffusion/error.h>
#include "base/utf8.h"

namespace diffusion::serve {

namespace {

constexpr std::string_view kSource = "the request";

auto named(std::string_view field, const auto& read) {
  try {
    return read();
  } catch (const Error& error) {
    throw ApiError(400, error.what(), std::string(field));
  }
}

// What a client sent, and is told in a message, need not be UTF-8, which JSON has to be.
std::string printable(std::string text) {
  if (is_utf8(text)) return text;
  for (char& c : text)
    if (static_cast<unsigned char>(c) > 126) c = '?';
  return text;
}

}  // namespace

ApiForm form_of(std::string_view path) {
  if (path.starts_with("/v1/")) return ApiForm::openai;
  return path.starts_with("/sdapi/") ? ApiForm::webui : ApiForm::own;
}

HttpAnswer json_answer(const Json& json, int status) {
  return {status, "application/json", dump_json(json) + "\n"};
}

HttpAnswer error_answer(ApiForm form, const ApiError& error) {
  const Json field = error.field.empty() ? Json(nullptr) : Json(printable(error.field));
  const std::string message = printable(error.what());
  Json::Object body;
  if (form == ApiForm::openai) {
    const char* type = error.status >= 500 ? "server_error" : "invalid_request_error";
    body["error"] = Json::Object{{"message", message}, {"type", type}, {"param", field}, {"code", nullptr}};
  } else if (form == ApiForm::webui) {
    body = {{"error", "HTTPException"}, {"detail", message}, {"body", ""}, {"errors", message}};
  } else {
    body["error"] = Json::Object{{"message", message}, {"field", field}, {"status", error.status}};
  }
  HttpAnswer answer = json_answer(std::move(body), error.status);
  answer.headers = error.headers;
  return answer;
}

RequestFields::RequestFields(const Json& json) : fields_(json, kSource) {}

bool RequestFields::given(std::string_view field) const {
  const Json* value = fields_.find(field);
  return value && !value->is_null();
}

bool RequestFields::flag(std::string_view field, bool otherwise) const {
  if (!given(field)) return otherwise;
  return named(field, [&] { return fields_.flag(field, otherwise); });
}

double RequestFields::number(std::string_view field, double otherwise, double least, double most) const {
  if (!given(field)) return otherwise;
  return named(field, [&] { return fields_.number(field, otherwise, least, most); });
}

int RequestFields::whole_number(std::string_view field, int otherwise, int least, int most) const {
  if (!given(field)) return otherwise;
  return named(field, [&] { return fields_.whole_number(field, otherwise, least, most); });
}

std::int64_t RequestFields::seed(std::string_view field, std::int64_t otherwise) const {
  if (!given(field)) return otherwise;
  const std::int64_t seed = named(field, [&] { return to_int(*fields_.find(field), fields_.where(field)); });
  if (seed < 0)
    throw ApiError(400, fmt::format("{} is {}; accepted are 0 to 2^63 - 1", fields_.where(field), seed),
                   std::string(field));
  return seed;
}

std::string RequestFields::text(std::string_view field, std::string_view otherwise) const {
  if (!given(field)) return std::string(otherwise);
  return named(field, [&] { return fields_.text(field, otherwise); });
}

void RequestFields::refuse_unknown() const {
  const std::vector<std::string> unknown = fields_.unknown();
  if (!unknown.empty())
    throw ApiError(400,
                   fmt::format("{} has fields that do not exist here: {}", kSource, fmt::join(unknown, ", ")),
                   unknown.front());
}

Json parse_request(const std::string& body) {
  Json json = named("", [&] { return parse_json(body, kSource); });
  if (!std::holds_alternative<Json::Object>(json.value()))
    throw ApiError(400, "the request is no JSON object, which is what is accepted");
  return json;
}

}  // namespace diffusion::serve
