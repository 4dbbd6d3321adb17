#pragma once

#include <event2/event.h>
#include <event2/http.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string_view>

#include "serve/http.h"

namespace diffusion::serve {

// What came in, as far as the handler sees it; the body is taken out of evhttp's buffer.
HttpRequest read_request(evhttp_request* request);

// A connection, of which evhttp tells nobody before its first request, nor when it ends without one. So we
// hold a reference to its bufferevent, made in evhttp's callback, and look: when evhttp frees a connection it
// takes its callbacks out of the bufferevent first. The socket is closed with the last reference.
// Everything is called by the loop's thread.
struct HttpConnection {
  using Clock = std::chrono::steady_clock;

  HttpLoop* loop;
  bufferevent* events;
  Clock::time_point since = Clock::now();  // its start, its last answer, or its reader's last progress
  std::size_t unread = 0;                  // bytes that it was sent and has not taken, at the last look
  // While a request is handled or its answer is read:
  evhttp_request* request = nullptr;
  std::shared_ptr<HttpExchange> exchange = nullptr;
  event* client_end = nullptr;
  bool answered = false, streams = false;

  bool is_freed() const;
  std::size_t waiting() const;  // bytes that it was sent and has not taken

  // As if its socket had failed: evhttp frees it, and calls on_close() if there was a request.
  void drop();

  void answer(const HttpAnswer& answer);
  void begin_stream(const HttpAnswer& head);
  void send(std::string_view text);
  void finish_request();
};

}  // namespace diffusion::serve
