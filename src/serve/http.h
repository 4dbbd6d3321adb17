#pragma once

// HTTP/1.1 on libevent's evhttp, of which the files http*.cpp alone know. One thread runs the loop and calls
// the handler; answers may come from any thread. What evhttp does not do is done here: a limit of
// connections, a deadline for a whole request however slowly it comes, clients that leave while they wait,
// and event streams that do not fill the memory for readers who are too slow.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace diffusion::serve {

struct HttpLimits {
  std::size_t header_bytes = std::size_t(8) << 10;  // all headers and the request line; more is 431
  std::size_t body_bytes = std::size_t(8) << 20;    // more is 413
  int connections = 64;                             // one more takes the place of the one idle for longest
  // For a request to arrive whole, counted from the connection's start or its last answer, so an idle
  // connection is closed after it, too; and for a reader who takes nothing of what waits for him.
  std::chrono::milliseconds request_time{30'000};
  // Of a stream that wait for a slow reader; above that parts which may be dropped are.
  std::size_t stream_bytes = std::size_t(1) << 20;
};

struct HttpHeader {
  std::string name, value;
};

struct HttpRequest {
  std::string method;  // "GET"
  std::string path;    // "/v1/models", as it was sent; "" unless it begins with a slash
  std::string query;   // behind the question mark
  std::vector<HttpHeader> headers;
  std::size_t header_bytes = 0;  // of the request line and all headers
  std::string body;

  // The value of the first header of that name, whatever its case; null: there is none.
  const std::string* header(std::string_view name) const;
  int header_count(std::string_view name) const;
};

struct HttpAnswer {
  int status = 200;
  std::string content_type = "application/json";
  std::string body = {};
  std::vector<HttpHeader> headers = {};  // besides Content-Type and Content-Length
};

struct HttpConnection;  // http_connection.h
class HttpLoop;         // http_loop.h

// One request, and the way to answer it. All but on_gone() may be called by any thread; what comes after the
// answer, or after the client has gone, does nothing.
class HttpExchange : public std::enable_shared_from_this<HttpExchange> {
 public:
  HttpExchange(HttpRequest request, std::weak_ptr<HttpLoop> loop, HttpConnection& connection);

  const HttpRequest& request() const { return request_; }

  void answer(HttpAnswer answer);

  // An answer in parts: status and headers of `head`, whose body is the first part.
  void begin_stream(HttpAnswer head);
  enum class Part { needed, may_be_dropped };
  void send(std::string text, Part part = Part::needed);
  void end_stream();

  bool gone() const { return gone_; }
  // Called by the loop's thread, once, when the client leaves before it has the whole answer. For the handler
  // alone, before it returns.
  void on_gone(std::function<void()> act) { on_gone_ = std::move(act); }

 private:
  friend struct HttpConnection;
  friend class HttpLoop;

  HttpRequest request_;
  std::weak_ptr<HttpLoop> loop_;
  HttpConnection* connection_;  // for the loop's thread; null once answered or gone
  std::atomic<bool> gone_ = false;
  std::function<void()> on_gone_;
};

using HttpHandler = std::function<void(const std::shared_ptr<HttpExchange>& exchange)>;

class HttpServer {
 public:
  // Listens at once: an IPv4 or IPv6 address and a port, 0 for any that is free. Error(io) if that is not
  // possible. What the handler throws is a bug: it is answered with 500.
  HttpServer(const std::string& address, int port, const HttpLimits& limits, HttpHandler handler);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();  // closes all connections

  int port() const;

  // Serves until stop(), on the calling thread.
  void run();

  // These may be called by any thread.
  void post(std::function<void()> task);  // called by the loop's thread, soon
  void stop();
  void stop_accepting();  // no more connections; those that are there go on
  // Connections that are open, and those of them that wait for an answer or read it.
  struct Load {
    int connections, busy;
  };
  Load load() const;

 private:
  std::shared_ptr<HttpLoop> loop_;
};

}  // namespace diffusion::serve
