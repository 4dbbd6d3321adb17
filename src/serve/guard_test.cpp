#include "serve/guard.h"

#include <gtest/gtest.h>

#include "serve/api.h"
#include "serve/base64.h"

namespace diffusion::serve {
namespace {

HttpRequest request_with(std::vector<HttpHeader> headers, const std::string& method = "GET",
                         const std::string& body = "") {
  HttpRequest request;
  request.method = method;
  request.path = "/diffusion/v1/jobs";
  request.headers = std::move(headers);
  request.body = body;
  return request;
}

// 0: nothing was wrong.
int status_of(const Guard& guard, const HttpRequest& request, bool is_page = false) {
  try {
    guard.check(request, is_page);
    return 0;
  } catch (const ApiError& error) {
    return error.status;
  }
}

TEST(Guard, KnowsOurHostsFromTricks) {
  GuardOptions options;
  options.hosts = {"Pictures.example"};
  const Guard guard(options);
  for (const char* host : {"localhost", "LOCALHOST:8765", "127.0.0.1", "127.0.0.1:8765", "[::1]:8765",
                           "[::1]", "pictures.example", "pictures.EXAMPLE:443"})
    EXPECT_EQ(status_of(guard, request_with({{"Host", host}})), 0) << host;
  for (const char* host :
       {"", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "evil.example:8765",
        "127.0.0.1:8765.evil.example", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1@evil.example", "0.0.0.0",
        "localhost:123456", "[::1", "127.1", "192.168.0.7", " localhost"})
    EXPECT_EQ(status_of(guard, request_with({{"Host", host}})), 403) << host;
  EXPECT_EQ(status_of(guard, request_with({})), 403);
  EXPECT_EQ(status_of(guard, request_with({{"Host", "localhost"}, {"host", "localhost"}})), 403);
  EXPECT_EQ(status_of(guard, request_with({{"Host", "evil.example"}}), true), 403);  // the page, too
}

TEST(Guard, TakesAddressesWhereItIsReachedByThem) {
  GuardOptions options;
  options.listen_address = "0.0.0.0";
  const Guard guard(options);
  EXPECT_EQ(status_of(guard, request_with({{"Host", "192.168.0.7:8765"}})), 0);
  EXPECT_EQ(status_of(guard, request_with({{"Host", "[fe80::1]:8765"}})), 0);
  EXPECT_EQ(status_of(guard, request_with({{"Host", "192.168.0.7.evil.example"}})), 403);
}

TEST(Guard, RefusesForeignOrigins) {
  const Guard guard({});
  const auto from = [](const char* origin) {
    return request_with({{"Host", "localhost:8765"}, {"Origin", origin}});
  };
  EXPECT_EQ(status_of(guard, from("http://localhost:8765")), 0);
  EXPECT_EQ(status_of(guard, from("https://localhost:8765")), 0);  // behind a proxy
  for (const char* origin : {"null", "", "http://evil.example", "http://localhost", "http://localhost:8766",
                             "http://localhost:8765.evil.example", "file://"}) {
    EXPECT_EQ(status_of(guard, from(origin)), 403) << origin;
    EXPECT_EQ(status_of(guard, from(origin), true), 0) << origin;  // the page may be visited
  }
}

TEST(Guard, AsksForOneOfItsKeys) {
  GuardOptions options;
  options.api_keys = {"first-key-of-ours", "second:key-of-ours"};
  const Guard guard(options);
  const auto with = [](const std::string& authorization) {
    return request_with({{"Host", "localhost"}, {"Authorization", authorization}});
  };
  const auto basic = [&](const std::string& text) {
    return with("Basic " + to_base64(std::as_bytes(std::span(text))));
  };
  EXPECT_EQ(status_of(guard, request_with({{"Host", "localhost"}})), 401);
  EXPECT_EQ(status_of(guard, request_with({{"Host", "localhost"}}), true), 401);
  EXPECT_EQ(status_of(guard, with("Bearer first-key-of-ours")), 0);
  EXPECT_EQ(status_of(guard, with("bearer second:key-of-ours")), 0);
  EXPECT_EQ(status_of(guard, basic("anybody:first-key-of-ours")), 0);
  EXPECT_EQ(status_of(guard, basic("anybody:second:key-of-ours")), 0);
  for (const char* wrong : {"", "Bearer", "Bearer ", "Bearer first-key", "Bearer first-key-of-ours ",
                            "Basic !", "first-key-of-ours", "Digest first-key-of-ours"})
    EXPECT_EQ(status_of(guard, with(wrong)), 401) << wrong;
}

TEST(Guard, RefusesBodiesThatAFormCanSend) {
  const Guard guard({});
  const auto of_type = [](const char* type) {
    return request_with({{"Host", "localhost"}, {"Content-Type", type}}, "POST", "{}");
  };
  EXPECT_EQ(status_of(guard, of_type("application/json")), 0);
  EXPECT_EQ(status_of(guard, of_type("Application/JSON; charset=utf-8")), 0);
  EXPECT_EQ(status_of(guard, of_type("multipart/form-data; boundary=x")), 0);
  for (const char* type :
       {"text/plain", "application/x-www-form-urlencoded", "", "text/plain; application/json"})
    EXPECT_EQ(status_of(guard, of_type(type)), 415) << type;
}

TEST(Guard, RefusesContradictionsAboutLength) {
  GuardOptions options;
  options.header_bytes = 100;
  const Guard guard(options);
  const HttpHeader host{"Host", "localhost"};
  EXPECT_EQ(status_of(guard, request_with({host, {"Content-Length", "1"}, {"Content-Length", "2"}})), 400);
  EXPECT_EQ(status_of(guard, request_with({host, {"Content-Length", "1"}, {"Transfer-Encoding", "chunked"}})),
            400);
  EXPECT_EQ(status_of(guard, request_with({host, {"Transfer-Encoding", "gzip, chunked"}})), 400);
  HttpRequest large = request_with({host});
  large.header_bytes = 101;
  EXPECT_EQ(status_of(guard, large), 431);
}

TEST(Base64, IsRfc4648) {
  const std::vector<std::pair<std::string, std::string>> both{{"", ""},
                                                              {"f", "Zg=="},
                                                              {"fo", "Zm8="},
                                                              {"foo", "Zm9v"},
                                                              {"foob", "Zm9vYg=="},
                                                              {"foobar", "Zm9vYmFy"},
                                                              {std::string("\xff\x00\xfe", 3), "/wD+"}};
  for (const auto& [bytes, text] : both) {
    EXPECT_EQ(to_base64(std::as_bytes(std::span(bytes))), text);
    const auto back = from_base64(text);
    ASSERT_TRUE(back) << text;
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(back->data()), back->size()), bytes);
  }
  for (const char* wrong :
       {"Z", "Zg", "Zg=", "Z===", "Zg==Zg==", "Zm 9", "Zm9v\n", "Zh==", "Zm9=", "====", "Zm-_"})
    EXPECT_FALSE(from_base64(wrong)) << wrong;
}

}  // namespace
}  // namespace diffusion::serve
