#include "serve/http.h"

#include <event2/http.h>

#include <utility>

#include "serve/http_connection.h"
#include "serve/http_loop.h"

namespace diffusion::serve {

HttpExchange::HttpExchange(HttpRequest request, std::weak_ptr<HttpLoop> loop, HttpConnection& connection)
    : request_(std::move(request)), loop_(std::move(loop)), connection_(&connection) {}

void HttpExchange::answer(HttpAnswer answer) {
  if (const auto loop = loop_.lock())
    loop->post([self = shared_from_this(), answer = std::move(answer)] {
      if (HttpConnection* to = std::exchange(self->connection_, nullptr)) to->answer(answer);
    });
}

void HttpExchange::begin_stream(HttpAnswer head) {
  if (const auto loop = loop_.lock())
    loop->post([self = shared_from_this(), head = std::move(head)] {
      if (self->connection_) self->connection_->begin_stream(head);
    });
}

void HttpExchange::send(std::string text, Part part) {
  if (const auto loop = loop_.lock())
    loop->post([self = shared_from_this(), text = std::move(text), part, most = loop->limits().stream_bytes] {
      HttpConnection* to = self->connection_;
      if (to && (part == Part::needed || to->waiting() <= most)) to->send(text);
    });
}

void HttpExchange::end_stream() {
  if (const auto loop = loop_.lock())
    loop->post([self = shared_from_this()] {
      if (HttpConnection* to = std::exchange(self->connection_, nullptr)) evhttp_send_reply_end(to->request);
    });
}

HttpServer::HttpServer(const std::string& address, int port, const HttpLimits& limits, HttpHandler handler)
    : loop_(std::make_shared<HttpLoop>(limits, std::move(handler))) {
  loop_->listen(address, port);
}

HttpServer::~HttpServer() = default;

int HttpServer::port() const {
  return loop_->port();
}
void HttpServer::run() {
  loop_->run();
}
void HttpServer::post(std::function<void()> task) {
  loop_->post(std::move(task));
}
void HttpServer::stop() {
  loop_->stop();
}
void HttpServer::stop_accepting() {
  loop_->stop_accepting();
}
HttpServer::Load HttpServer::load() const {
  return loop_->load();
}

}  // namespace diffusion::serve
