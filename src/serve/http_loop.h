#pragma once

#include <event2/event.h>
#include <event2/http.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "serve/http.h"
#include "serve/http_connection.h"

namespace diffusion::serve {

// The loop of HttpServer, on the thread that calls run(): what evhttp tells, the connections and their
// limits, and what other threads post.
class HttpLoop : public std::enable_shared_from_this<HttpLoop> {
 public:
  HttpLoop(const HttpLimits& limits, HttpHandler handler);
  HttpLoop(const HttpLoop&) = delete;
  HttpLoop& operator=(const HttpLoop&) = delete;
  ~HttpLoop();

  void listen(const std::string& address, int port);
  int port() const;
  void run();

  // Calls `task` on the loop's thread: now, if this is it.
  void post(std::function<void()> task);
  void stop();
  void stop_accepting();
  HttpServer::Load load() const { return {open_, busy_}; }
  const HttpLimits& limits() const { return limits_; }

 private:
  void run_tasks();

  bufferevent* on_accept();
  void drop_the_idlest();
  void release(const HttpConnection& connection);
  // After connections came, went, or changed: who is busy cannot make room for another.
  void update();

  void on_request(evhttp_request* request);
  static void on_complete(HttpConnection& connection);
  // The connection ends before the answer is read, or after it.
  static void on_close(HttpConnection& connection);

  // Now and then: drops who is late, and lets go of connections that evhttp has freed.
  void sweep();

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

}  // namespace diffusion::serve
