#include "serve/guard.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "serve/api.h"
#include "serve/base64.h"

namespace diffusion::serve {

namespace {

std::string lower_case(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](unsigned char c) { return char(std::tolower(c)); });
  return result;
}

bool is_ip_address(std::string_view host) {
  unsigned char bytes[16];
  if (host.starts_with('[') && host.ends_with(']'))
    return inet_pton(AF_INET6, std::string(host.substr(1, host.size() - 2)).c_str(), bytes) == 1;
  return inet_pton(AF_INET, std::string(host).c_str(), bytes) == 1;
}

// "name:port" without the port; "" if that is no number.
std::string_view without_port(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  if (colon == std::string_view::npos || host.ends_with(']')) return host;
  const std::string_view port = host.substr(colon + 1);
  const bool number = !port.empty() && port.size() <= 5 &&
                      std::ranges::all_of(port, [](unsigned char c) { return std::isdigit(c) != 0; });
  return number ? host.substr(0, colon) : std::string_view();
}

const std::string& header_or_empty(const HttpRequest& request, std::string_view name) {
  static const std::string empty;
  const std::string* value = request.header(name);
  return value ? *value : empty;
}

std::array<unsigned char, 32> digest_of(std::string_view text) {
  std::array<unsigned char, 32> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return digest;
}

}  // namespace

bool is_loopback(std::string_view address) {
  return address.starts_with("127.") || address == "::1" || address == "localhost";
}

Guard::Guard(GuardOptions options) : options_(std::move(options)) {
  for (std::string& host : options_.hosts) host = lower_case(host);
  for (const std::string& key : options_.api_keys) keys_.push_back(digest_of(key));
}

void Guard::check(const HttpRequest& request, bool is_page) const {
  check_framing(request);
  check_host(request);
  if (!is_page) check_origin(request);
  check_key(request);
  if (request.method != "POST" || request.body.empty()) return;
  const std::string type = lower_case(header_or_empty(request, "Content-Type"));
  const std::string_view name = std::string_view(type).substr(0, type.find(';'));
  if (name != "application/json" && name != "multipart/form-data")
    throw ApiError(415,
                   fmt::format("Content-Type is \"{}\"; accepted are application/json and, for pictures, "
                               "multipart/form-data",
                               type));
}

void Guard::check_framing(const HttpRequest& request) const {
  if (request.header_bytes > options_.header_bytes)
    throw ApiError(431, fmt::format("the request's headers have {} bytes; accepted are {}",
                                    request.header_bytes, options_.header_bytes));
  const int lengths = request.header_count("Content-Length"),
            codings = request.header_count("Transfer-Encoding");
  if (lengths > 1 || codings > 1 || (lengths > 0 && codings > 0))
    throw ApiError(400, "the request says more than once how long it is", "", {{"Connection", "close"}});
  if (codings > 0 && lower_case(header_or_empty(request, "Transfer-Encoding")) != "chunked")
    throw ApiError(400, "Transfer-Encoding is not chunked, which alone is accepted", "",
                   {{"Connection", "close"}});
  if (request.path.empty()) throw ApiError(400, "the request's path does not begin with a slash");
}

bool Guard::is_ours(std::string_view host) const {
  if (std::ranges::find(options_.hosts, host) != options_.hosts.end()) return true;
  if (host == "localhost" || host == "127.0.0.1" || host == "[::1]") return true;
  // A browser cannot be made to believe that another's address is ours.
  return !is_loopback(options_.listen_address) && is_ip_address(host);
}

void Guard::check_host(const HttpRequest& request) const {
  const std::string host = lower_case(header_or_empty(request, "Host"));
  if (request.header_count("Host") == 1 && is_ours(without_port(host))) return;
  throw ApiError(403, fmt::format("Host is \"{}\"; accepted are localhost, this server's address, and names "
                                  "given with --allow-host",
                                  host));
}

void Guard::check_origin(const HttpRequest& request) const {
  const int origins = request.header_count("Origin");
  if (origins == 0) return;
  const std::string origin = lower_case(header_or_empty(request, "Origin")),
                    host = lower_case(header_or_empty(request, "Host"));
  if (origins == 1 && (origin == "http://" + host || origin == "https://" + host)) return;
  throw ApiError(403, fmt::format("Origin is \"{}\"; accepted is this server's own page", origin));
}

bool Guard::is_key(std::string_view key) const {
  const auto digest = digest_of(key);
  bool found = false;
  for (const Digest& known : keys_)
    found |= CRYPTO_memcmp(digest.data(), known.data(), known.size()) == 0;  // all of them, whichever it is
  return found;
}

void Guard::check_key(const HttpRequest& request) const {
  if (keys_.empty()) return;
  const std::string_view given = header_or_empty(request, "Authorization");
  const std::string scheme = lower_case(given.substr(0, given.find(' ')));
  std::string key(given.substr(std::min(scheme.size() + 1, given.size())));
  if (scheme == "basic") {
    const auto bytes = from_base64(key);
    key.clear();
    if (bytes) key.assign(reinterpret_cast<const char*>(bytes->data()), bytes->size());
    key.erase(0, key.find(':') + 1);
  }
  if ((scheme == "bearer" || scheme == "basic") && request.header_count("Authorization") == 1 && is_key(key))
    return;
  throw ApiError(401, "the request has no API key of this server, as a Bearer token or a Basic password", "",
                 {{"WWW-Authenticate", "Basic realm=\"diffusion\", charset=\"UTF-8\""}});
}

}  // namespace diffusion::serve
