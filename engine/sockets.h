// TCP for ranks: owned sockets and whole messages, with deadlines. Peers are not trusted: lengths are bounded.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace ipa {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

class Socket {  // owns a file descriptor
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() { close(); }
  Socket(Socket&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Socket& operator=(Socket&& other) noexcept;
  explicit operator bool() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  void close() noexcept;

 private:
  int fd_ = -1;
};

// On port `port` (0: any free one): of the loopback interface if `host` is "localhost" or 127.*, else of all
// interfaces. ErrorKind::device if the port is taken, ErrorKind::usage if the host has no address.
Socket listen_at(const std::string& host, int port);
int port_of(const Socket& listener);
Socket accept_one(const Socket& listener);                                  // none if nobody knocks; never waits
Socket connect_once(const std::string& host, int port, Milliseconds wait);  // none if refused or too slow
std::string peer_address(const Socket& s);                                  // numeric; empty for a loopback address
std::string this_host();

// One direction of a transfer, driven by `transfer` below.
struct Move {
  int fd;
  std::byte* data;  // read only if `sending`
  std::size_t bytes;
  bool sending;
};
// Drives all moves at once, so that ranks that send to each other never wait for each other. Returns the index of the
// first move whose connection broke, -1 when all are done, -2 if `stop_fd` became readable (-1: none) or `wait` passed.
int transfer(std::span<Move> moves, int stop_fd, Milliseconds wait);

// A connection that carries messages of at most `most_bytes`. Not thread-safe.
struct Message {
  std::uint32_t type = 0;
  std::string body;
};
class MessageLink {
 public:
  static constexpr std::size_t most_bytes = 1 << 20;

  explicit MessageLink(Socket s) : socket_(std::move(s)) {}
  const Socket& socket() const { return socket_; }
  bool send(std::uint32_t type, const std::string& body);  // false: broken, or not taken within the wait of a second
  bool receive(std::vector<Message>& arrived);             // what is there; false: closed, or no message of ours

 private:
  Socket socket_;
  std::string buffer_;
};

// Numbers and strings one behind another, as message bodies; reading beyond the end or a longer text gives `ok` false.
class Writer {
 public:
  Writer& number(std::uint64_t n);
  Writer& text(const std::string& s);
  std::string take() { return std::move(body_); }

 private:
  std::string body_;
};
class Reader {
 public:
  explicit Reader(const std::string& body) : body_(body) {}
  std::uint64_t number();
  std::string text(std::size_t most = MessageLink::most_bytes);
  bool ok = true;

 private:
  const std::string& body_;
  std::size_t at_ = 0;
};

}  // namespace ipa
