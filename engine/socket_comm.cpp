#include "engine/socket_comm.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/socket.h>

#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>

#include "engine/rank_sum.h"

namespace ipa {
namespace {

constexpr Milliseconds connecting{30'000}, explaining{3'000};
constexpr Milliseconds forever{std::chrono::hours(24 * 365)};  // until the group reports a failure

struct Greeting {  // first on every connection between ranks
  std::uint64_t token, rank;
};

class SocketComm final : public Comm {
 public:
  explicit SocketComm(RankGroup& group) : group_(group), peers_(static_cast<std::size_t>(group.size())) {
    connect_all();
    thread_ = std::thread([this] { run(); });
  }
  ~SocketComm() override {
    {
      std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
    for (const Socket& s : peers_) ::shutdown(s.fd(), SHUT_RDWR);  // a transfer under way ends, here and there
    thread_.join();
  }

  int rank() const override { return group_.rank(); }
  int size() const override { return group_.size(); }

  void start_all_reduce(Stream& after, Tensor values) override {
    require(after.device().is_cpu() && values.packed() && values.dtype == DType::f32,
            "all_reduce: a packed f32 tensor of the host");
    start({values, -1});
  }
  void finish(Stream&) override { wait(); }
  void broadcast(Tensor values, int root) override {
    require(values.device.is_cpu() && values.packed(), "broadcast: a packed tensor of the host");
    start({values, root});
    wait();
  }
  unsigned any(unsigned flags) override {
    wait();
    for (const std::string& theirs : group_.exchange(Writer().number(flags).take()))
      flags |= static_cast<unsigned>(Reader(theirs).number());
    return flags;
  }

 private:
  struct Job {
    Tensor values;
    int root;  // of a broadcast; -1: a sum
  };

  void start(Job job) {
    group_.advance();
    std::lock_guard lock(mutex_);
    jobs_.push_back(job);
    changed_.notify_all();
  }

  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return (jobs_.empty() && !busy_) || !error_.empty(); });
    if (!error_.empty()) fail(ErrorKind::device, error_);
  }

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

  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return !jobs_.empty() || ending_; });
      if (ending_) return;
      const Job job = jobs_.front();
      busy_ = true;
      lock.unlock();
      const int broken = job.root < 0 ? sum(job.values) : send_around(job.values, job.root);
      lock.lock();
      if (broken != -1) {
        if (ending_) return;
        lock.unlock();
        const std::string why = explain(broken);
        lock.lock();
        error_ = why;
      }
      busy_ = false;
      jobs_.pop_front();
      changed_.notify_all();
      if (broken != -1) return;
    }
  }

  // Each returns -1, or the rank whose connection broke, or -2 if the group reported a failure.
  int sum(const Tensor& values) {
    const std::int64_t n = values.elements();
    const Range mine = share_of(n, rank(), size());
    received_.resize(static_cast<std::size_t>(mine.count) * peers_.size());
    std::vector<float*> parts;
    std::vector<Move> moves;
    for (int r = 0; r < size(); ++r) {
      float* room = received_.data() + static_cast<std::size_t>(r) * static_cast<std::size_t>(mine.count);
      parts.push_back(r == rank() ? values.f32() + mine.first : room);
      if (r == rank()) continue;
      const Range theirs = share_of(n, r, size());
      add(moves, r, values.f32() + theirs.first, theirs.count, true);
      add(moves, r, room, mine.count, false);
    }
    if (const int broken = move(moves); broken != -1) return broken;
    sum_in_rank_order(values.f32() + mine.first, parts, mine.count);
    for (int r = 0; r < size(); ++r) {
      if (r == rank()) continue;
      const Range theirs = share_of(n, r, size());
      add(moves, r, values.f32() + mine.first, mine.count, true);
      add(moves, r, values.f32() + theirs.first, theirs.count, false);
    }
    return move(moves);
  }

  int send_around(const Tensor& values, int root) {
    std::vector<Move> moves;
    const auto bytes = values.spec().bytes();
    for (int r = 0; r < size(); ++r)
      if (r != rank() && (rank() == root || r == root))
        moves.push_back({peer(r).fd(), static_cast<std::byte*>(values.data), bytes, rank() == root});
    return move(moves);
  }

  void add(std::vector<Move>& moves, int r, float* data, std::int64_t count, bool sending) {
    moves.push_back(
        {peer(r).fd(), reinterpret_cast<std::byte*>(data), static_cast<std::size_t>(count) * sizeof(float), sending});
  }

  int move(std::vector<Move>& moves) {
    const int at = transfer(moves, group_.failure_fd(), forever);
    int broken = at;
    for (int r = 0; at >= 0 && r < size(); ++r)
      if (r != rank() && peer(r).fd() == moves[static_cast<std::size_t>(at)].fd) broken = r;
    moves.clear();
    return broken;
  }

  // The group mostly knows better why, a moment later.
  std::string explain(int broken) {
    pollfd p{group_.failure_fd(), POLLIN, 0};
    ::poll(&p, 1, static_cast<int>(explaining.count()));
    if (const std::string why = group_.failure(); !why.empty()) return why;
    const std::string text = "the connection to " + group_.name_of(broken) + " broke";
    group_.report_failure(text);
    return text;
  }

  RankGroup& group_;
  std::vector<Socket> peers_;  // by rank
  std::vector<float> received_;
  std::thread thread_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  bool busy_ = false, ending_ = false;
  std::string error_;
};

}  // namespace

std::unique_ptr<Comm> socket_comm(RankGroup& group) { return std::make_unique<SocketComm>(group); }

}  // namespace ipa
