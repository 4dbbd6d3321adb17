#include "serve/http.h"

#include <gtest/gtest.h>

#include <future>
#include <mutex>
#include <thread>

#include <diffusion/error.h>
#include "support/http_client.h"

namespace diffusion::serve {
namespace {

using namespace std::chrono_literals;
using testing::HttpClient;
using testing::HttpReply;

// A server that runs while the test does: it echoes, streams, and answers /wait when the test lets it.
class EchoServer {
 public:
  explicit EchoServer(const HttpLimits& limits = {})
      : server_("127.0.0.1", 0, limits, [this](const auto& exchange) { handle(exchange); }),
        thread_([this] { server_.run(); }) {}
  ~EchoServer() {
    server_.stop();
    thread_.join();
  }

  int port() const { return server_.port(); }
  HttpServer& server() { return server_; }

  // The request that waits, once there is one.
  std::shared_ptr<HttpExchange> waiting() {
    for (int k = 0; k < 2000; ++k) {
      {
        const std::lock_guard lock(mutex_);
        if (waiting_) return waiting_;
      }
      std::this_thread::sleep_for(1ms);
    }
    throw std::runtime_error("nobody waits");
  }
  std::future<void> gone() { return gone_.get_future(); }

 private:
  void handle(const std::shared_ptr<HttpExchange>& exchange) {
    const HttpRequest& request = exchange->request();
    if (request.path == "/throw") throw std::runtime_error("the handler fell over");
    if (request.path == "/wait") {
      exchange->on_gone([this] { gone_.set_value(); });
      const std::lock_guard lock(mutex_);
      waiting_ = exchange;
      return;
    }
    exchange->answer({200, "text/plain", request.method + " " + request.path + " " + request.body});
  }

  std::mutex mutex_;
  std::shared_ptr<HttpExchange> waiting_;
  std::promise<void> gone_;
  HttpServer server_;
  std::thread thread_;
};

TEST(Http, AnswersRequestsOnOneConnection) {
  EchoServer echo;
  HttpClient client(echo.port());
  for (int k = 0; k < 3; ++k) EXPECT_EQ(client.request("POST", "/a?b=c", "body").body, "POST /a body");
  EXPECT_EQ(client.request("GET", "/x").header("Content-Type"), "text/plain");
  EXPECT_EQ(client.request("GET", "/throw").status, 500);
}

TEST(Http, AnswersPipelinedRequestsInOrder) {
  EchoServer echo;
  HttpClient client(echo.port());
  client.send(
      "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: "
      "a\r\n\r\n");
  for (const char* expected : {"GET /1 ", "GET /2 ", "GET /3 "})
    EXPECT_EQ(client.read_reply().body, expected);
}

TEST(Http, ReadsChunkedBodiesAndRefusesBrokenOnes) {
  EchoServer echo;
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  {
    HttpClient client(echo.port());
    client.send(head + "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    EXPECT_EQ(client.read_reply().body, "POST / abcde");
  }
  for (const char* broken :
       {"zz\r\nabc\r\n", "-1\r\nabc\r\n", "ffffffffffffffffff\r\nabc\r\n", "900000\r\n"}) {
    HttpClient client(echo.port());
    client.send(head + broken);
    const int status = client.read_reply().status;
    EXPECT_TRUE(status >= 400 && status < 500) << broken << ": " << status;
  }
}

TEST(Http, RefusesWhatIsNoHttp) {
  EchoServer echo;
  for (const char* text :
       {"hello\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9.9\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: 1e3\r\n\r\n"}) {
    HttpClient client(echo.port());
    client.send(text);
    const int status = client.read_reply().status;
    EXPECT_TRUE(status >= 400 && status < 600) << text << ": " << status;
  }
  HttpClient client(echo.port());
  EXPECT_EQ(client.request("TRACE", "/").status, 501);
}

TEST(Http, RefusesLongBodiesAndCutsLongHeaders) {
  EchoServer echo({.body_bytes = 1000});
  EXPECT_EQ(HttpClient(echo.port()).request("POST", "/", std::string(1000, 'x')).status, 200);
  EXPECT_EQ(HttpClient(echo.port()).request("POST", "/", std::string(1001, 'x')).status, 413);
  EXPECT_EQ(HttpClient(echo.port()).request("POST", "/", std::string(5'000'000, 'x')).status, 413);
  EXPECT_EQ(HttpClient(echo.port()).request("GET", "/", "", {{"Long", std::string(100'000, 'x')}}).status,
            400);
}

TEST(Http, NoticesThatAWaitingClientLeaves) {
  EchoServer echo;
  auto gone = echo.gone();
  HttpClient client(echo.port());
  client.send_request("GET", "/wait");
  const auto exchange = echo.waiting();
  EXPECT_FALSE(exchange->gone());
  client.close();
  ASSERT_EQ(gone.wait_for(2s), std::future_status::ready);
  EXPECT_TRUE(exchange->gone());
  exchange->answer({});  // nobody is there any more
}

TEST(Http, AnswersFromAnotherThread) {
  EchoServer echo;
  HttpClient client(echo.port());
  client.send_request("GET", "/wait");
  echo.waiting()->answer({202, "text/plain", "late"});
  const HttpReply reply = client.read_reply();
  EXPECT_EQ(reply.status, 202);
  EXPECT_EQ(reply.body, "late");
  echo.waiting()->answer({200, "text/plain", "twice"});
  EXPECT_EQ(client.request("GET", "/next").body, "GET /next ");
}

TEST(Http, ForgetsARequestThatIsAnswered) {
  std::weak_ptr<HttpExchange> answered;
  HttpServer server("127.0.0.1", 0, {}, [&](const std::shared_ptr<HttpExchange>& exchange) {
    answered = exchange;
    exchange->on_gone([exchange] { FAIL() << "the client did not leave"; });
    exchange->answer({});
  });
  std::thread thread([&] { server.run(); });
  HttpClient client(server.port());
  EXPECT_EQ(client.request("GET", "/").status, 200);
  for (int k = 0; k < 1000 && !answered.expired(); ++k) std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(answered.expired());
  server.stop();
  thread.join();
}

TEST(Http, StreamsInParts) {
  EchoServer echo;
  HttpClient client(echo.port());
  client.send_request("GET", "/wait");
  const auto exchange = echo.waiting();
  exchange->begin_stream({200, "text/event-stream", "one,"});
  client.read_until("one,");
  exchange->send("two,");
  client.read_until("two,");
  exchange->end_stream();
  EXPECT_EQ(client.read_reply().body, "one,two,");
  EXPECT_EQ(client.request("GET", "/next").body, "GET /next ");
}

TEST(Http, DropsPartsForASlowReaderButNotTheLast) {
  EchoServer echo({.stream_bytes = 10'000});
  HttpClient client(echo.port());
  client.send_request("GET", "/wait");
  const auto exchange = echo.waiting();
  exchange->begin_stream({200, "text/event-stream"});
  const std::string part(100'000, '.');
  for (int k = 0; k < 1000; ++k) exchange->send(part, HttpExchange::Part::may_be_dropped);
  exchange->send("the end");
  exchange->end_stream();
  const std::string body = client.read_reply().body;
  EXPECT_TRUE(body.ends_with("the end"));
  EXPECT_LT(body.size(), 20'000'000u);  // what sockets hold, of the 100 MB
}

TEST(Http, ClosesWhoIsTooSlow) {
  EchoServer echo({.request_time = 300ms});
  HttpClient silent(echo.port()), slow_headers(echo.port()), slow_body(echo.port()), idle(echo.port());
  slow_headers.send("GET / HTTP/1.1\r\nHos");
  slow_body.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n");
  EXPECT_EQ(idle.request("GET", "/").status, 200);
  for (int k = 0; k < 8; ++k) {  // a byte now and then does not help
    std::this_thread::sleep_for(100ms);
    slow_body.send("x");
    slow_headers.send("x");
  }
  EXPECT_TRUE(silent.is_closed_within(1s));
  EXPECT_TRUE(slow_headers.is_closed_within(1s));
  EXPECT_TRUE(slow_body.is_closed_within(1s));
  EXPECT_TRUE(idle.is_closed_within(1s));
  EXPECT_EQ(HttpClient(echo.port()).request("GET", "/").status, 200);
}

TEST(Http, KeepsWhoWaitsLongerThanARequestMayTake) {
  EchoServer echo({.request_time = 200ms});
  HttpClient client(echo.port());
  client.send_request("GET", "/wait");
  std::this_thread::sleep_for(700ms);
  echo.waiting()->answer({200, "text/plain", "done"});
  EXPECT_EQ(client.read_reply().body, "done");
}

TEST(Http, MakesRoomForOneMoreConnectionByClosingTheIdlest) {
  EchoServer echo({.connections = 8});
  std::vector<std::unique_ptr<HttpClient>> idle;
  for (int k = 0; k < 200; ++k) idle.push_back(std::make_unique<HttpClient>(echo.port()));
  EXPECT_EQ(HttpClient(echo.port()).request("GET", "/").status, 200);
  EXPECT_LE(echo.server().load().connections, 8);
  EXPECT_TRUE(idle.front()->is_closed_within(1s));
}

TEST(Http, WaitsWithNewConnectionsWhileAllAreBusy) {
  EchoServer echo({.connections = 1});
  HttpClient first(echo.port());
  first.send_request("GET", "/wait");
  const auto exchange = echo.waiting();
  HttpClient second(echo.port());
  second.send_request("GET", "/second");
  EXPECT_FALSE(second.is_closed_within(200ms));
  EXPECT_EQ(echo.server().load().connections, 1);
  exchange->answer({});
  EXPECT_EQ(first.read_reply().status, 200);
  EXPECT_EQ(second.read_reply().body, "GET /second ");
}

TEST(Http, RefusesAnAddressThatItCannotHave) {
  EchoServer echo;
  EXPECT_THROW(HttpServer("127.0.0.1", echo.port(), {}, {}), Error);
  EXPECT_THROW(HttpServer("192.0.2.1", 0, {}, {}), Error);
}

}  // namespace
}  // namespace diffusion::serve
