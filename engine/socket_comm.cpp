#include "engine/socket_comm.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/socket.h>

#include "engine/queued_comm.h"

namespace ipa {
namespace {

constexpr Milliseconds connecting{30'000};
constexpr Milliseconds forever{std::chrono::hours(24 * 365)};  // until the group reports a failure

struct Greeting {  // first on every connection between ranks
  std::uint64_t token, rank;
};

class SocketComm final : public QueuedComm {
 public:
  explicit SocketComm(RankGroup& group) : QueuedComm(group), peers_(static_cast<std::size_t>(group.size())) {
    connect_all();
    begin();
  }
  ~SocketComm() override { end(); }

 private:
  // Rank r connects to those below it and lets in those above.
  void connect_all() {
    const Socket listener = listen_at(group_.address_of(0), 0);
    const std::vector<std::string> ports =
        group_.exchange(Writer().number(static_cast<std::uint64_t>(port_of(listener))).take());
    const Clock::time_point end = Clock::now() + connecting;
    const auto late = [&](const std::string& who) {
      group_.check();
      if (Clock::now() > end)
        fail(ErrorKind::device, fmt::format("{} and {} could not connect", group_.name_of(rank()), who), {},
             "see whether the hosts reach each other on all ports");
    };
    Greeting mine{group_.token(), static_cast<std::uint64_t>(rank())};
    for (int r = 0; r < rank(); ++r) {
      const auto port = static_cast<int>(Reader(ports[static_cast<std::size_t>(r)]).number());
      Socket& s = peer(r);
      while (!(s = connect_once(group_.address_of(r), port, Milliseconds(2000)))) late(group_.name_of(r));
      Move m{s.fd(), reinterpret_cast<std::byte*>(&mine), sizeof mine, true};
      if (transfer({&m, 1}, group_.failure_fd(), connecting) != -1) late(group_.name_of(r));
    }
    for (int missing = size() - 1 - rank(); missing > 0;) {
      pollfd p{listener.fd(), POLLIN, 0};
      ::poll(&p, 1, 100);
      late("a higher rank");
      Socket s = accept_one(listener);
      Greeting theirs{};
      Move m{s.fd(), reinterpret_cast<std::byte*>(&theirs), sizeof theirs, false};
      if (!s || transfer({&m, 1}, group_.failure_fd(), Milliseconds(2000)) != -1) continue;
      const auto r = static_cast<int>(theirs.rank & 0xffffff);
      if (theirs.token != group_.token() || r <= rank() || r >= size() || peer(r)) continue;  // a stranger
      peer(r) = std::move(s);
      --missing;
    }
  }

  Socket& peer(int r) { return peers_[static_cast<std::size_t>(r)]; }

  bool gather_shares(const Tensor& values, float* room) override {
    const std::int64_t n = values.elements(), mine = share_of(n, rank(), size()).count;
    for (int r = 0; r < size(); ++r) {
      if (r == rank()) continue;
      const Range theirs = share_of(n, r, size());
      add(r, values.f32() + theirs.first, theirs.count, true);
      add(r, room + r * mine, mine, false);
    }
    return move();
  }

  bool hand_out_shares(const Tensor& values) override {
    const std::int64_t n = values.elements();
    const Range mine = share_of(n, rank(), size());
    for (int r = 0; r < size(); ++r) {
      if (r == rank()) continue;
      const Range theirs = share_of(n, r, size());
      add(r, values.f32() + mine.first, mine.count, true);
      add(r, values.f32() + theirs.first, theirs.count, false);
    }
    return move();
  }

  bool send_around(const Tensor& values, int root) override {
    for (int r = 0; r < size(); ++r)
      if (r != rank() && (rank() == root || r == root))
        moves_.push_back({peer(r).fd(), static_cast<std::byte*>(values.data), values.spec().bytes(), rank() == root});
    return move();
  }

  std::string broken_peer() const override { return group_.name_of(broken_); }
  void interrupt() noexcept override {
    for (const Socket& s : peers_) ::shutdown(s.fd(), SHUT_RDWR);
  }

  void add(int r, float* data, std::int64_t count, bool sending) {
    moves_.push_back(
        {peer(r).fd(), reinterpret_cast<std::byte*>(data), static_cast<std::size_t>(count) * sizeof(float), sending});
  }

  bool move() {
    const int outcome = transfer(moves_, group_.failure_fd(), forever);
    for (int r = 0; outcome >= 0 && r < size(); ++r)
      if (r != rank() && peer(r).fd() == moves_[static_cast<std::size_t>(outcome)].fd) broken_ = r;
    moves_.clear();
    return outcome == -1;
  }

  std::vector<Socket> peers_;  // by rank
  std::vector<Move> moves_;
  int broken_ = 0;
};

}  // namespace

std::unique_ptr<Comm> socket_comm(RankGroup& group) { return std::make_unique<SocketComm>(group); }

}  // namespace ipa
