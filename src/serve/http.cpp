#include "serve/http.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include <diffusion/error.h>

namespace diffusion::serve {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kSweep{100};
// evhttp's own limit of headers answers 400 and closes; up to here the handler can say 431.
constexpr int kHeadersReadAtMost = 64 << 10;

bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

timeval to_timeval(std::chrono::milliseconds time) {
  return {time.count() / 1000, (time.count() % 1000) * 1000};
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

// A connection, of which evhttp tells nobody before its first request, nor when it ends without one. So we
// hold a reference to its bufferevent, made in evhttp's callback, and look: when evhttp frees a connection it
// takes its callbacks out of the bufferevent first. The socket is closed with the last reference.
struct HttpConnection {
  HttpLoop* loop;
  bufferevent* events;
  Clock::time_point since = Clock::now();  // its start, its last answer, or its reader's last progress
  std::size_t unread = 0;                  // bytes that it was sent and has not taken
  // While a request is handled or its answer is read:
  evhttp_request* request = nullptr;
  std::shared_ptr<HttpExchange> exchange = nullptr;
  event* client_end = nullptr;
  bool answered = false, streams = false;

  bool is_freed() const {
    bufferevent_event_cb on_event = nullptr;
    bufferevent_getcb(events, nullptr, nullptr, &on_event, nullptr);
    return on_event == nullptr;
  }

  // As if its socket had failed: evhttp frees it, and calls on_close() if there was a request.
  void drop() { bufferevent_trigger_event(events, BEV_EVENT_READING | BEV_EVENT_TIMEOUT, 0); }

  void finish_request() {
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

  void answer(const HttpAnswer& answer) {
    put_headers(request, answer);
    const bool body = evhttp_request_get_command(request) != EVHTTP_REQ_HEAD;
    OwnedBuffer buffer(body ? answer.body : "");
    answered = true;
    since = Clock::now();
    evhttp_send_reply(request, answer.status, nullptr, buffer.buffer);
  }

  void begin_stream(const HttpAnswer& head) {
    put_headers(request, head);
    answered = streams = true;
    since = Clock::now();
    evhttp_send_reply_start(request, head.status, nullptr);
    send(head.body);
  }

  std::size_t waiting() const { return evbuffer_get_length(bufferevent_get_output(events)); }

  void send(std::string_view text) {
    OwnedBuffer buffer(text);
    evhttp_send_reply_chunk(request, buffer.buffer);
  }
};

class HttpLoop : public std::enable_shared_from_this<HttpLoop> {
 public:
  HttpLoop(const HttpLimits& limits, HttpHandler handler) : limits_(limits), handler_(std::move(handler)) {
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

  ~HttpLoop() {
    evhttp_free(http_);
    for (auto& [events, connection] : connections_) bufferevent_decref(events);
    event_free(wake_);
    event_free(sweep_);
    event_base_free(base_);
    close(wake_fd_);
  }

  void listen(const std::string& address, int port) {
    socket_ = evhttp_bind_socket_with_handle(http_, address.c_str(), ev_uint16_t(port));
    if (!socket_)
      throw Error(ErrorKind::io,
                  fmt::format("cannot listen on {} port {}: {}", address, port, std::strerror(errno)));
  }

  int port() const {
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    getsockname(evhttp_bound_socket_get_fd(socket_), reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&address)->sin6_port
                                               : reinterpret_cast<sockaddr_in*>(&address)->sin_port);
  }

  void run() {
    thread_ = std::this_thread::get_id();
    event_base_loop(base_, EVLOOP_NO_EXIT_ON_EMPTY);
    thread_ = std::thread::id();
  }

  // Calls `task` on the loop's thread: now, if this is it.
  void post(std::function<void()> task) {
    if (std::this_thread::get_id() == thread_) return task();
    {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    const std::uint64_t one = 1;
    static_cast<void>(!write(wake_fd_, &one, sizeof(one)));  // fails only if it is awake anyway
  }

  void stop() {
    post([this] { event_base_loopbreak(base_); });
  }

  void stop_accepting() {
    post([this] {
      accepts_ = false;
      if (socket_) evhttp_del_accept_socket(http_, socket_);
      socket_ = nullptr;
    });
  }

  HttpServer::Load load() const { return {open_, busy_}; }

  const HttpLimits& limits() const { return limits_; }

 private:
  void run_tasks() {
    std::uint64_t count;
    static_cast<void>(!read(wake_fd_, &count, sizeof(count)));
    std::vector<std::function<void()>> tasks;
    {
      const std::lock_guard lock(mutex_);
      tasks.swap(tasks_);
    }
    for (const auto& task : tasks) task();
  }

  bufferevent* on_accept() {
    if (int(connections_.size()) >= limits_.connections) drop_the_idlest();
    bufferevent* events = bufferevent_socket_new(base_, -1, BEV_OPT_CLOSE_ON_FREE);
    if (!events) return nullptr;
    bufferevent_incref(events);
    connections_.emplace(events, HttpConnection{this, events});
    update();
    return events;
  }

  void drop_the_idlest() {
    HttpConnection* idlest = nullptr;
    for (auto& [events, connection] : connections_)
      if (!connection.request && (!idlest || connection.since < idlest->since)) idlest = &connection;
    if (!idlest) return;
    idlest->drop();
    if (idlest->is_freed()) release(*idlest);
  }

  void release(const HttpConnection& connection) {
    bufferevent* events = connection.events;
    connections_.erase(events);
    bufferevent_decref(events);
  }

  // After connections came, went, or changed: who is busy cannot make room for another.
  void update() {
    open_ = int(connections_.size());
    busy_ =
        int(std::ranges::count_if(connections_, [](const auto& c) { return c.second.request != nullptr; }));
    if (!socket_) return;
    evconnlistener* listener = evhttp_bound_socket_get_listener(socket_);
    const bool room = open_ < limits_.connections || busy_ < open_;
    if (room != accepts_) room ? evconnlistener_enable(listener) : evconnlistener_disable(listener);
    accepts_ = room;
  }

  void on_request(evhttp_request* request) {
    evhttp_connection* evcon = evhttp_request_get_connection(request);
    HttpConnection& connection = connections_.at(evhttp_connection_get_bufferevent(evcon));
    connection.request = request;
    connection.exchange = std::make_shared<HttpExchange>(read_request(request), weak_from_this(), connection);
    evhttp_connection_set_closecb(
        evcon, [](evhttp_connection*, void* c) { on_close(*static_cast<HttpConnection*>(c)); }, &connection);
    evhttp_request_set_on_complete_cb(
        request, [](evhttp_request*, void* c) { on_complete(*static_cast<HttpConnection*>(c)); },
        &connection);
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

  static void on_complete(HttpConnection& connection) {
    connection.finish_request();
    connection.loop->update();
  }

  // The connection ends before the answer is read, or after it.
  static void on_close(HttpConnection& connection) {
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

  void sweep() {
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

  HttpLimits limits_;
  HttpHandler handler_;
  event_base* base_;
  evhttp* http_;
  evhttp_bound_socket* socket_ = nullptr;
  event *wake_, *sweep_;
  int wake_fd_;
  bool accepts_ = true;
  std::atomic<std::thread::id> thread_;
  std::map<bufferevent*, HttpConnection> connections_;
  std::atomic<int> open_ = 0, busy_ = 0;
  std::mutex mutex_;
  std::vector<std::function<void()>> tasks_;  // guarded by mutex_
};

const std::string* HttpRequest::header(std::string_view name) const {
  const auto found = std::ranges::find_if(headers, [&](const auto& h) { return same_name(h.name, name); });
  return found == headers.end() ? nullptr : &found->value;
}

int HttpRequest::header_count(std::string_view name) const {
  return int(std::ranges::count_if(headers, [&](const auto& h) { return same_name(h.name, name); }));
}

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
