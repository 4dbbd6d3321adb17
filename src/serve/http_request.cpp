#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include <algorithm>
#include <cctype>

#include <diffusion/error.h>
#include "serve/http.h"
#include "serve/http_connection.h"

namespace diffusion::serve {

namespace {

bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

const char* method_name(evhttp_cmd_type type) {
  switch (type) {
    case EVHTTP_REQ_GET:
      return "GET";
    case EVHTTP_REQ_POST:
      return "POST";
    case EVHTTP_REQ_DELETE:
      return "DELETE";
    case EVHTTP_REQ_HEAD:
      return "HEAD";
    case EVHTTP_REQ_OPTIONS:
      return "OPTIONS";
    default:
      return "another";
  }
}

}  // namespace

HttpRequest read_request(evhttp_request* request) {
  HttpRequest read;
  read.method = method_name(evhttp_request_get_command(request));
  const std::string_view uri = evhttp_request_get_uri(request);
  if (uri.starts_with("/")) {
    read.path = uri.substr(0, uri.find('?'));
    if (read.path.size() < uri.size()) read.query = uri.substr(read.path.size() + 1);
  }
  constexpr std::size_t kAroundUri = 14, kAroundHeader = 4;  // "GET  HTTP/1.1\r\n", ": \r\n"
  read.header_bytes = uri.size() + kAroundUri;
  const evkeyvalq* headers = evhttp_request_get_input_headers(request);
  for (const evkeyval* header = headers->tqh_first; header; header = header->next.tqe_next) {
    read.headers.push_back({header->key, header->value});
    read.header_bytes += read.headers.back().name.size() + read.headers.back().value.size() + kAroundHeader;
  }
  evbuffer* body = evhttp_request_get_input_buffer(request);
  read.body.resize(evbuffer_get_length(body));
  if (evbuffer_remove(body, read.body.data(), read.body.size()) != int(read.body.size()))
    throw Error(ErrorKind::internal, "the body of a request cannot be read");
  return read;
}

const std::string* HttpRequest::header(std::string_view name) const {
  const auto found = std::ranges::find_if(headers, [&](const auto& h) { return same_name(h.name, name); });
  return found == headers.end() ? nullptr : &found->value;
}

int HttpRequest::header_count(std::string_view name) const {
  return int(std::ranges::count_if(headers, [&](const auto& h) { return same_name(h.name, name); }));
}

}  // namespace diffusion::serve
