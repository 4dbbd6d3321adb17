#pragma once

// Who may ask, before anything looks at what is asked.

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http.h"

namespace diffusion::serve {

struct GuardOptions {
  std::string listen_address = "127.0.0.1";
  std::vector<std::string> hosts;     // names besides the usual ones by which the server may be called
  std::vector<std::string> api_keys;  // none: no key is asked for
  std::size_t header_bytes = HttpLimits().header_bytes;
};

// Web pages anywhere can make a browser send requests to servers on its machine, and a foreign name can be
// made to mean 127.0.0.1 (DNS rebinding). So Host must be a name of ours, Origin our own, and bodies of types
// that a form cannot send.
class Guard {
 public:
  explicit Guard(GuardOptions options);

  // ApiError 431, 400, 401, 403 or 415 if the request is not to be answered. `is_page`: of the page's files,
  // which may be visited from everywhere.
  void check(const HttpRequest& request, bool is_page) const;

 private:
  void check_framing(const HttpRequest& request) const;
  void check_host(const HttpRequest& request) const;
  void check_origin(const HttpRequest& request) const;
  void check_key(const HttpRequest& request) const;
  bool is_ours(std::string_view host) const;
  bool is_key(std::string_view key) const;

  using Digest = std::array<unsigned char, 32>;

  GuardOptions options_;
  std::vector<Digest> keys_;  // SHA-256
};

// Whether the address is one that only this machine reaches.
bool is_loopback(std::string_view address);

}  // namespace diffusion::serve
