#include "serve/http_connection.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/keyvalq_struct.h>

namespace diffusion::serve {

namespace {

struct OwnedBuffer {
  evbuffer* buffer = evbuffer_new();
  explicit OwnedBuffer(std::string_view text) { evbuffer_add(buffer, text.data(), text.size()); }
  OwnedBuffer(const OwnedBuffer&) = delete;
  OwnedBuffer& operator=(const OwnedBuffer&) = delete;
  ~OwnedBuffer() { evbuffer_free(buffer); }
};

void put_headers(evhttp_request* request, const HttpAnswer& answer) {
  evkeyvalq* headers = evhttp_request_get_output_headers(request);
  evhttp_add_header(headers, "Content-Type", answer.content_type.c_str());
  evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
  evhttp_add_header(headers, "Cross-Origin-Resource-Policy", "same-origin");
  for (const HttpHeader& header : answer.headers)
    evhttp_add_header(headers, header.name.c_str(), header.value.c_str());
}

}  // namespace

bool HttpConnection::is_freed() const {
  bufferevent_event_cb on_event = nullptr;
  bufferevent_getcb(events, nullptr, nullptr, &on_event, nullptr);
  return on_event == nullptr;
}

void HttpConnection::finish_request() {
  if (client_end) event_free(client_end);
  if (exchange) {
    exchange->connection_ = nullptr;
    exchange->on_gone_ = nullptr;  // what it holds may hold the exchange
  }
  client_end = nullptr;
  request = nullptr;
  exchange = nullptr;
  answered = streams = false;
  since = Clock::now();
}

void HttpConnection::answer(const HttpAnswer& answer) {
  put_headers(request, answer);
  const bool body = evhttp_request_get_command(request) != EVHTTP_REQ_HEAD;
  OwnedBuffer buffer(body ? answer.body : "");
  answered = true;
  since = Clock::now();
  evhttp_send_reply(request, answer.status, nullptr, buffer.buffer);
}

void HttpConnection::begin_stream(const HttpAnswer& head) {
  put_headers(request, head);
  answered = streams = true;
  since = Clock::now();
  evhttp_send_reply_start(request, head.status, nullptr);
  send(head.body);
}

void HttpConnection::send(std::string_view text) {
  OwnedBuffer buffer(text);
  evhttp_send_reply_chunk(request, buffer.buffer);
}

void HttpConnection::drop() {
  bufferevent_trigger_event(events, BEV_EVENT_READING | BEV_EVENT_TIMEOUT, 0);
}

std::size_t HttpConnection::waiting() const {
  return evbuffer_get_length(bufferevent_get_output(events));
}

}  // namespace diffusion::serve
