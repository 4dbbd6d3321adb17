#pragma once

// A client that speaks HTTP/1.1 through a socket of its own, well or badly.

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace diffusion::testing {

struct HttpReply {
  int status = 0;  // 0: the connection ended without one
  std::string head, body;

  std::string header(std::string_view name) const;  // "" if it is not there
};

class HttpClient {
 public:
  explicit HttpClient(int port);  // of 127.0.0.1
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  ~HttpClient();

  void send(std::string_view bytes);
  // One reply, of which both forms of bodies are understood. What is still missing at the end is missing.
  HttpReply read_reply();
  // What has come so far until it contains `text`, or the end of the connection or of the time.
  std::string read_until(std::string_view text);
  // Whether the server closes the connection within `time`.
  bool is_closed_within(std::chrono::milliseconds time);
  void close();

  using Headers = std::vector<std::pair<std::string, std::string>>;
  // Host, and for a body Content-Length and Content-Type of JSON, are added unless `headers` have them.
  void send_request(const std::string& method, const std::string& path, const std::string& body = "",
                    const Headers& headers = {});
  HttpReply request(const std::string& method, const std::string& path, const std::string& body = "",
                    const Headers& headers = {});

 private:
  bool receive(std::chrono::milliseconds time);  // more bytes; false: none, the end or the time's end

  int port_, socket_;
  std::string received_;
};

}  // namespace diffusion::testing
