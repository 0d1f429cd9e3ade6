#include "engine/sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "engine/error.h"

namespace ipa {
namespace {

using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Addresses resolve(const std::string& host, int port, bool to_listen) {
  const bool loopback = host == "localhost" || host.starts_with("127.");
  addrinfo hints{};
  hints.ai_family = to_listen ? AF_INET : AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | (to_listen ? AI_PASSIVE : 0);
  addrinfo* found = nullptr;
  if (::getaddrinfo(to_listen && !loopback ? nullptr : host.c_str(), std::to_string(port).c_str(), &hints, &found))
    found = nullptr;
  return {found, &::freeaddrinfo};
}

void prepare(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

bool again() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

int milliseconds_left(Clock::time_point end) {
  const auto left = std::chrono::duration_cast<Milliseconds>(end - Clock::now()).count();
  return static_cast<int>(std::clamp<long>(left + 1, 0, 1000));
}

constexpr std::uint32_t magic = 0x4b415249;  // also refuses the other byte order
struct Header {
  std::uint32_t magic, type, bytes;
};

}  // namespace

Socket& Socket::operator=(Socket&& other) noexcept {
  if (this != &other) {
    close();
    std::swap(fd_, other.fd_);
  }
  return *this;
}

void Socket::close() noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Socket listen_at(const std::string& host, int port) {
  const Addresses a = resolve(host, port, true);
  if (!a) fail(ErrorKind::usage, "no address of " + host, "MASTER_ADDR", "name a host that all processes can reach");
  Socket s(::socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(s.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (!s || ::bind(s.fd(), a->ai_addr, a->ai_addrlen) || ::listen(s.fd(), 1024))
    fail(ErrorKind::device, fmt::format("rank 0 cannot listen on port {}: {}", port, std::strerror(errno)), host,
         "set MASTER_PORT to a free port");
  ::fcntl(s.fd(), F_SETFL, O_NONBLOCK);
  return s;
}

int port_of(const Socket& listener) {
  sockaddr_storage a{};
  socklen_t length = sizeof a;
  ::getsockname(listener.fd(), reinterpret_cast<sockaddr*>(&a), &length);
  return ntohs(reinterpret_cast<sockaddr_in*>(&a)->sin_port);  // the same place for IPv6
}

Socket accept_one(const Socket& listener) {
  Socket s(::accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC));
  if (s) prepare(s.fd());
  return s;
}

Socket connect_once(const std::string& host, int port, Milliseconds wait) {
  const Addresses list = resolve(host, port, false);
  for (const addrinfo* a = list.get(); a; a = a->ai_next) {
    Socket s(::socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!s) continue;
    prepare(s.fd());
    if (::connect(s.fd(), a->ai_addr, a->ai_addrlen) && errno != EINPROGRESS) continue;
    pollfd p{s.fd(), POLLOUT, 0};
    int error = 0;
    socklen_t length = sizeof error;
    if (::poll(&p, 1, static_cast<int>(wait.count())) == 1 &&
        !::getsockopt(s.fd(), SOL_SOCKET, SO_ERROR, &error, &length) && !error)
      return s;
  }
  return {};
}

std::string peer_address(const Socket& s) {
  sockaddr_storage a{};
  socklen_t length = sizeof a;
  char text[NI_MAXHOST] = "";
  if (!::getpeername(s.fd(), reinterpret_cast<sockaddr*>(&a), &length))
    ::getnameinfo(reinterpret_cast<sockaddr*>(&a), length, text, sizeof text, nullptr, 0, NI_NUMERICHOST);
  const std::string address = text;
  return address.starts_with("127.") || address == "::1" ? "" : address;
}

std::string this_host() {
  char name[256] = "";
  ::gethostname(name, sizeof name - 1);
  return name;
}

int transfer(std::span<Move> moves, int stop_fd, Milliseconds wait) {
  const Clock::time_point end = Clock::now() + wait;
  std::vector<pollfd> polled;
  std::vector<std::size_t> move_of;
  while (true) {
    polled = {{stop_fd, POLLIN, 0}};
    move_of = {0};
    for (std::size_t i = 0; i < moves.size(); ++i) {
      Move& m = moves[i];
      while (m.bytes) {
        const ssize_t n = m.sending ? ::send(m.fd, m.data, m.bytes, MSG_NOSIGNAL) : ::recv(m.fd, m.data, m.bytes, 0);
        if (n > 0) {
          m.data += n;
          m.bytes -= static_cast<std::size_t>(n);
        } else if (n < 0 && again()) {
          polled.push_back({m.fd, static_cast<short>(m.sending ? POLLOUT : POLLIN), 0});
          move_of.push_back(i);
          break;
        } else {
          return static_cast<int>(i);
        }
      }
    }
    if (polled.size() == 1) return -1;
    if (Clock::now() >= end) return -2;
    ::poll(polled.data(), polled.size(), milliseconds_left(end));
    if (polled[0].revents) return -2;
  }
}

bool MessageLink::send(std::uint32_t type, const std::string& body) {
  require(body.size() <= most_bytes, "a message of ranks is too long");
  const Header header{magic, type, static_cast<std::uint32_t>(body.size())};
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
  bytes += body;
  Move m{socket_.fd(), reinterpret_cast<std::byte*>(bytes.data()), bytes.size(), true};
  return transfer({&m, 1}, -1, Milliseconds(1000)) == -1;
}

bool MessageLink::receive(std::vector<Message>& arrived) {
  char chunk[4096];
  bool open = true;
  for (int i = 0; i < 64; ++i) {  // so that one chatty peer cannot hold us up
    const ssize_t n = ::recv(socket_.fd(), chunk, sizeof chunk, 0);
    if (n > 0) {
      buffer_.append(chunk, static_cast<std::size_t>(n));
      continue;
    }
    open = n < 0 && again();
    break;
  }
  std::size_t at = 0;
  Header header{};
  while (buffer_.size() - at >= sizeof header) {
    std::memcpy(&header, buffer_.data() + at, sizeof header);
    if (header.magic != magic || header.bytes > most_bytes) return false;
    if (buffer_.size() - at - sizeof header < header.bytes) break;
    arrived.push_back({header.type, buffer_.substr(at + sizeof header, header.bytes)});
    at += sizeof header + header.bytes;
  }
  buffer_.erase(0, at);
  return open;
}

Writer& Writer::number(std::uint64_t n) {
  body_.append(reinterpret_cast<const char*>(&n), sizeof n);
  return *this;
}

Writer& Writer::text(const std::string& s) {
  number(s.size());
  body_ += s;
  return *this;
}

std::uint64_t Reader::number() {
  std::uint64_t n = 0;
  if (body_.size() - at_ < sizeof n) {
    ok = false;
    return 0;
  }
  std::memcpy(&n, body_.data() + at_, sizeof n);
  at_ += sizeof n;
  return n;
}

std::string Reader::text(std::size_t most) {
  const std::uint64_t n = number();
  if (!ok || n > most || n > body_.size() - at_) {
    ok = false;
    return {};
  }
  at_ += n;
  return body_.substr(at_ - n, n);
}

}  // namespace ipa
