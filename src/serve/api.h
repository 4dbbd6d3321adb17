#pragma once

// What the interfaces have in common: errors that each tells in its own form, and fields that are checked.

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/json.h"
#include "formats/json_fields.h"
#include "serve/http.h"

namespace diffusion::serve {

// A request that is answered with an error.
class ApiError : public std::runtime_error {
 public:
  ApiError(int http_status, const std::string& message, std::string about = {},
           std::vector<HttpHeader> extra_headers = {})
      : std::runtime_error(message),
        status(http_status),
        field(std::move(about)),
        headers(std::move(extra_headers)) {}

  int status;
  std::string field;  // of the request's JSON or form; empty: of none
  std::vector<HttpHeader> headers;
};

// Whose form errors have, by where the path begins: OpenAI's "/v1/", "/sdapi/", else ours.
enum class ApiForm { own, openai, webui };
ApiForm form_of(std::string_view path);
HttpAnswer error_answer(ApiForm form, const ApiError& error);

HttpAnswer json_answer(const Json& json, int status = 200);

// An object's fields by JsonFields, whose errors are ApiErrors of status 400 that name the field.
class RequestFields {
 public:
  // Refers to `json`.
  explicit RequestFields(const Json& json);

  const Json* find(std::string_view field) const { return fields_.find(field); }
  bool given(std::string_view field) const;  // and not null
  bool flag(std::string_view field, bool otherwise) const;
  double number(std::string_view field, double otherwise, double least, double most) const;
  int whole_number(std::string_view field, int otherwise, int least, int most) const;
  // 0 to 2^63 - 1.
  std::int64_t seed(std::string_view field, std::int64_t otherwise) const;
  std::string text(std::string_view field, std::string_view otherwise) const;
  void refuse_unknown() const;

 private:
  JsonFields fields_;
};

// The JSON object of a body. ApiError 400 for anything else.
Json parse_request(const std::string& body);

}  // namespace diffusion::serve
