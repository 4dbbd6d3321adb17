#include "support/http_client.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

namespace diffusion::testing {

namespace {

constexpr std::chrono::milliseconds kPatience{60'000};

}  // namespace

std::string HttpReply::header(std::string_view name) const {
  for (std::size_t at = head.find("\r\n"); at != std::string::npos; at = head.find("\r\n", at + 2)) {
    const std::string_view line = std::string_view(head).substr(at + 2);
    if (line.size() > name.size() && line[name.size()] == ':' &&
        strncasecmp(line.data(), name.data(), name.size()) == 0) {
      const std::string_view value = line.substr(name.size() + 1, line.find("\r\n") - name.size() - 1);
      return std::string(value.substr(std::min(value.find_first_not_of(' '), value.size())));
    }
  }
  return "";
}

HttpClient::HttpClient(int port) : port_(port), socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(std::uint16_t(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int on = 1;
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    throw std::runtime_error("a test cannot connect to its server");
}

HttpClient::~HttpClient() {
  close();
}

void HttpClient::close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

void HttpClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;  // the reply, or its absence, says why
    bytes.remove_prefix(std::size_t(sent));
  }
}

bool HttpClient::receive(std::chrono::milliseconds time) {
  pollfd wait{socket_, POLLIN, 0};
  if (poll(&wait, 1, int(time.count())) <= 0) return false;
  char buffer[65536];
  const ssize_t size = ::recv(socket_, buffer, sizeof(buffer), 0);
  if (size <= 0) return false;
  received_.append(buffer, std::size_t(size));
  return true;
}

bool HttpClient::is_closed_within(std::chrono::milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
    pollfd wait{socket_, POLLIN, 0};
    if (poll(&wait, 1, 10) <= 0) continue;
    char byte;
    if (::recv(socket_, &byte, 1, MSG_PEEK) <= 0) return true;
    if (!receive(std::chrono::milliseconds(0))) return true;
  }
  return false;
}

std::string HttpClient::read_until(std::string_view text) {
  while (received_.find(text) == std::string::npos && receive(kPatience)) {
  }
  return received_;
}

HttpReply HttpClient::read_reply() {
  read_until("\r\n\r\n");
  const std::size_t end = received_.find("\r\n\r\n");
  if (end == std::string::npos) return {};
  HttpReply reply;
  reply.head = received_.substr(0, end + 2);
  received_.erase(0, end + 4);
  reply.status = std::atoi(reply.head.c_str() + reply.head.find(' '));
  if (reply.status == 100) return read_reply();
  if (reply.header("Transfer-Encoding") == "chunked") {
    while (true) {
      while (received_.find("\r\n") == std::string::npos && receive(kPatience)) {
      }
      const std::size_t line = received_.find("\r\n");
      if (line == std::string::npos) return reply;
      const std::size_t size = std::strtoul(received_.c_str(), nullptr, 16);
      while (received_.size() < line + 2 + size + 2 && receive(kPatience)) {
      }
      reply.body += received_.substr(line + 2, size);
      received_.erase(0, line + 2 + size + 2);
      if (size == 0) return reply;
    }
  }
  const std::string length = reply.header("Content-Length");
  const std::size_t size = length.empty() ? std::string::npos : std::strtoul(length.c_str(), nullptr, 10);
  while (received_.size() < size && receive(kPatience)) {
  }
  reply.body = received_.substr(0, size);
  received_.erase(0, reply.body.size());
  return reply;
}

void HttpClient::send_request(const std::string& method, const std::string& path, const std::string& body,
                              const Headers& headers) {
  std::string text = fmt::format("{} {} HTTP/1.1\r\n", method, path);
  const auto given = [&](std::string_view name) {
    return std::ranges::any_of(headers, [&](const auto& header) { return header.first == name; });
  };
  if (!given("Host")) text += fmt::format("Host: 127.0.0.1:{}\r\n", port_);
  if (method == "POST" && !given("Content-Length"))
    text += fmt::format("Content-Length: {}\r\n", body.size());
  if (!body.empty() && !given("Content-Type")) text += "Content-Type: application/json\r\n";
  for (const auto& [name, value] : headers) text += fmt::format("{}: {}\r\n", name, value);
  send(text + "\r\n" + body);
}

HttpReply HttpClient::request(const std::string& method, const std::string& path, const std::string& body,
                              const Headers& headers) {
  send_request(method, path, body, headers);
  return read_reply();
}

}  // namespace diffusion::testing
