#include "serve/http_loop.h"

#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <exception>
#include <utility>

#include <diffusion/error.h>

namespace diffusion::serve {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kSweep{100};
// evhttp's own limit of headers answers 400 and closes; up to here the handler can say 431.
constexpr int kHeadersReadAtMost = 64 << 10;

timeval to_timeval(std::chrono::milliseconds time) {
  return {time.count() / 1000, (time.count() % 1000) * 1000};
}

}  // namespace

HttpLoop::HttpLoop(const HttpLimits& limits, HttpHandler handler)
    : limits_(limits), handler_(std::move(handler)) {
  base_ = event_base_new();
  http_ = evhttp_new(base_);
  wake_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (!base_ || !http_ || wake_fd_ < 0) throw Error(ErrorKind::io, "the system has no room for a server");
  evhttp_set_max_headers_size(http_, kHeadersReadAtMost);
  evhttp_set_max_body_size(http_, ev_ssize_t(limits.body_bytes));
  evhttp_set_flags(http_, EVHTTP_SERVER_LINGERING_CLOSE);  // so that who sends too much can read our 413
  evhttp_set_allowed_methods(
      http_, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_DELETE | EVHTTP_REQ_HEAD | EVHTTP_REQ_OPTIONS);
  evhttp_set_bevcb(
      http_, [](event_base*, void* self) { return static_cast<HttpLoop*>(self)->on_accept(); }, this);
  evhttp_set_gencb(
      http_, [](evhttp_request* request, void* self) { static_cast<HttpLoop*>(self)->on_request(request); },
      this);
  wake_ = event_new(
      base_, wake_fd_, EV_READ | EV_PERSIST,
      [](int, short, void* self) { static_cast<HttpLoop*>(self)->run_tasks(); }, this);
  sweep_ = event_new(
      base_, -1, EV_PERSIST, [](int, short, void* self) { static_cast<HttpLoop*>(self)->sweep(); }, this);
  const timeval interval = to_timeval(kSweep);
  event_add(wake_, nullptr);
  event_add(sweep_, &interval);
}

HttpLoop::~HttpLoop() {
  evhttp_free(http_);
  for (auto& [events, connection] : connections_) bufferevent_decref(events);
  event_free(wake_);
  event_free(sweep_);
  event_base_free(base_);
  close(wake_fd_);
}

void HttpLoop::listen(const std::string& address, int port) {
  socket_ = evhttp_bind_socket_with_handle(http_, address.c_str(), ev_uint16_t(port));
  if (!socket_)
    throw Error(ErrorKind::io,
                fmt::format("cannot listen on {} port {}: {}", address, port, std::strerror(errno)));
}

int HttpLoop::port() const {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  getsockname(evhttp_bound_socket_get_fd(socket_), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&address)->sin6_port
                                             : reinterpret_cast<sockaddr_in*>(&address)->sin_port);
}

void HttpLoop::run() {
  thread_ = std::this_thread::get_id();
  event_base_loop(base_, EVLOOP_NO_EXIT_ON_EMPTY);
  thread_ = std::thread::id();
}

void HttpLoop::post(std::function<void()> task) {
  if (std::this_thread::get_id() == thread_) return task();
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  const std::uint64_t one = 1;
  static_cast<void>(!write(wake_fd_, &one, sizeof(one)));  // fails only if it is awake anyway
}

void HttpLoop::stop() {
  post([this] { event_base_loopbreak(base_); });
}

void HttpLoop::stop_accepting() {
  post([this] {
    accepts_ = false;
    if (socket_) evhttp_del_accept_socket(http_, socket_);
    socket_ = nullptr;
  });
}

void HttpLoop::run_tasks() {
  std::uint64_t count;
  static_cast<void>(!read(wake_fd_, &count, sizeof(count)));
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(tasks_);
  }
  for (const auto& task : tasks) task();
}

bufferevent* HttpLoop::on_accept() {
  if (int(connections_.size()) >= limits_.connections) drop_the_idlest();
  bufferevent* events = bufferevent_socket_new(base_, -1, BEV_OPT_CLOSE_ON_FREE);
  if (!events) return nullptr;
  bufferevent_incref(events);
  connections_.emplace(events, HttpConnection{this, events});
  update();
  return events;
}

void HttpLoop::drop_the_idlest() {
  HttpConnection* idlest = nullptr;
  for (auto& [events, connection] : connections_)
    if (!connection.request && (!idlest || connection.since < idlest->since)) idlest = &connection;
  if (!idlest) return;
  idlest->drop();
  if (idlest->is_freed()) release(*idlest);
}

void HttpLoop::release(const HttpConnection& connection) {
  bufferevent* events = connection.events;
  connections_.erase(events);
  bufferevent_decref(events);
}

void HttpLoop::update() {
  open_ = int(connections_.size());
  busy_ = int(std::ranges::count_if(connections_, [](const auto& c) { return c.second.request != nullptr; }));
  if (!socket_) return;
  evconnlistener* listener = evhttp_bound_socket_get_listener(socket_);
  const bool room = open_ < limits_.connections || busy_ < open_;
  if (room != accepts_) room ? evconnlistener_enable(listener) : evconnlistener_disable(listener);
  accepts_ = room;
}

void HttpLoop::on_request(evhttp_request* request) {
  evhttp_connection* evcon = evhttp_request_get_connection(request);
  HttpConnection& connection = connections_.at(evhttp_connection_get_bufferevent(evcon));
  connection.request = request;
  connection.exchange = std::make_shared<HttpExchange>(read_request(request), weak_from_this(), connection);
  evhttp_connection_set_closecb(
      evcon, [](evhttp_connection*, void* c) { on_close(*static_cast<HttpConnection*>(c)); }, &connection);
  evhttp_request_set_on_complete_cb(
      request, [](evhttp_request*, void* c) { on_complete(*static_cast<HttpConnection*>(c)); }, &connection);
  connection.client_end = event_new(
      base_, bufferevent_getfd(connection.events), EV_CLOSED,
      [](int, short, void* c) { static_cast<HttpConnection*>(c)->drop(); }, &connection);
  event_add(connection.client_end, nullptr);
  update();
  const std::shared_ptr<HttpExchange> exchange = connection.exchange;
  try {
    handler_(exchange);
  } catch (const std::exception& error) {
    exchange->answer({500, "text/plain", fmt::format("{}\n", error.what())});
  }
}

void HttpLoop::on_complete(HttpConnection& connection) {
  connection.finish_request();
  connection.loop->update();
}

void HttpLoop::on_close(HttpConnection& connection) {
  // evhttp leaves us the request if it was not answered.
  if (connection.request && !evhttp_request_get_connection(connection.request))
    evhttp_request_free(connection.request);
  const std::shared_ptr<HttpExchange> exchange = connection.exchange;
  const bool waits = exchange && exchange->connection_;
  const std::function<void()> on_gone = exchange ? exchange->on_gone_ : nullptr;
  connection.finish_request();
  connection.loop->update();
  if (!waits) return;
  exchange->gone_ = true;
  if (on_gone) on_gone();
}

void HttpLoop::sweep() {
  std::vector<HttpConnection*> late, freed;
  const auto now = Clock::now();
  for (auto& [events, connection] : connections_) {
    const std::size_t unread = connection.waiting();
    const bool progress = connection.streams && (unread == 0 || unread < connection.unread);
    if (progress || (connection.request && !connection.answered)) connection.since = now;
    connection.unread = unread;
    if (now - connection.since > limits_.request_time) late.push_back(&connection);
  }
  for (HttpConnection* connection : late) connection->drop();
  for (auto& [events, connection] : connections_)
    if (connection.is_freed()) freed.push_back(&connection);
  for (const HttpConnection* connection : freed) release(*connection);
  if (!freed.empty()) update();
}

}  // namespace diffusion::serve
