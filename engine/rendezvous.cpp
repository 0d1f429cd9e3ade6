#include "engine/rendezvous.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

#include "engine/error.h"
#include "engine/rendezvous_meeting.h"

namespace ipa {
namespace {

constexpr std::uint64_t resting = ~std::uint64_t{0};

struct Peer {
  int rank;
  MessageLink link;
  Clock::time_point heard = Clock::now(), went_on = heard;
  std::uint64_t progress = 0;
  bool left = false, broken = false;
  std::deque<std::string> offers;  // at rank 0
};

}  // namespace

// The thread of a rank and what it shares with the rank's other threads. All members below `mutex` are its.
struct RankGroup::Control {
  Control(RankGroup& of, std::vector<MessageLink> links, const RendezvousOptions& with)
      : group(of), options(with), wake(::eventfd(0, EFD_CLOEXEC)), failed_fd(::eventfd(0, EFD_CLOEXEC)) {
    const bool server = of.rank() == 0;
    for (std::size_t i = 0; i < links.size(); ++i)
      peers.push_back({server ? static_cast<int>(i) + 1 : 0, std::move(links[i])});
    thread = std::thread([this] { run(); });
  }
  ~Control() {
    {
      std::lock_guard lock(mutex);
      ending = true;
    }
    ring(wake.fd());
    thread.join();
  }

  static void ring(int fd) {
    const std::uint64_t one = 1;
    if (::write(fd, &one, sizeof one) < 0) return;  // only if it rings already
  }

  void run() {
    const Milliseconds beat = std::clamp(options.silence / 5, Milliseconds(20), Milliseconds(1000));
    Clock::time_point next_beat = Clock::now();
    std::unique_lock lock(mutex);
    while (!ending) {
      if (Clock::now() >= next_beat) {
        next_beat = Clock::now() + beat;
        for (Peer& p : peers) send(p, sign_of_life, Writer().number(progress).take());
      }
      std::vector<pollfd> polled{{wake.fd(), POLLIN, 0}};
      for (const Peer& p : peers) polled.push_back({p.broken ? -1 : p.link.socket().fd(), POLLIN, 0});
      lock.unlock();
      ::poll(polled.data(), polled.size(), static_cast<int>(beat.count() / 2));
      lock.lock();
      for (Peer& p : peers) listen(p);
      watch();
    }
    for (Peer& p : peers) send(p, goodbye, {});
  }

  // Everything from here on holds the mutex.
  void send(Peer& p, RankMessage type, const std::string& body) {
    if (!p.broken && !p.left && !p.link.send(type, body)) lose(p, "its connection broke");
  }

  void listen(Peer& p) {
    if (p.broken) return;
    std::vector<Message> messages;
    const bool open = p.link.receive(messages);
    if (!messages.empty()) p.heard = Clock::now();
    for (const Message& m : messages) hear(p, m);
    if (!open && !p.left) lose(p, "its connection closed");
    p.broken |= !open;
  }

  void hear(Peer& p, const Message& m) {
    if (m.type == sign_of_life) {
      const std::uint64_t now = Reader(m.body).number();
      if (now != p.progress || now == resting) p.went_on = Clock::now();
      p.progress = now;
    } else if (m.type == offer) {
      p.offers.push_back(m.body);
      gather();
    } else if (m.type == gathered) {
      results.push_back(m.body);
      changed.notify_all();
    } else if (m.type == failed) {
      fail_with(m.body.substr(0, 1024), &p);
      p.left = true;
    } else if (m.type == goodbye) {
      p.left = true;
      gather();
    }
  }

  // At rank 0: hands out the ranks' offers when all have made theirs.
  void gather() {
    while (!own_offers.empty() &&
           std::all_of(peers.begin(), peers.end(), [](const Peer& p) { return !p.offers.empty(); })) {
      Writer w;
      w.text(own_offers.front());
      own_offers.pop_front();
      for (Peer& p : peers) {
        w.text(p.offers.front());
        p.offers.pop_front();
      }
      const std::string body = w.take();
      for (Peer& p : peers) send(p, gathered, body);
      results.push_back(body);
      changed.notify_all();
    }
    const bool awaited = !own_offers.empty() ||
                         (group.rank() != 0 && offered > taken + static_cast<long>(results.size())) ||
                         std::any_of(peers.begin(), peers.end(), [](const Peer& p) { return !p.offers.empty(); });
    for (const Peer& p : peers)
      if (p.left && p.offers.empty() && awaited) fail_with(group.name_of(p.rank) + " has ended, others go on", nullptr);
  }

  void watch() {
    const Clock::time_point now = Clock::now();
    for (Peer& p : peers)
      if (!p.left && !p.broken && now - p.heard > options.silence)
        lose(p, fmt::format("nothing was heard of it for {:g} s", seconds(options.silence)));
    if (group.rank() != 0 || options.stall.count() == 0 || !first_failure.empty()) return;
    // Ranks wait for each other, so all stand still where one does: the one that is behind is at fault.
    std::uint64_t least = progress, most = progress;
    Clock::time_point last = went_on;
    int slowest = 0;
    for (const Peer& p : peers) {
      if (p.left) return;
      if (p.progress < least) least = p.progress, slowest = p.rank;
      most = std::max(most, p.progress);
      last = std::max(last, p.went_on);
    }
    if (most == resting || now - last <= options.stall) return;
    const std::string who = least == most ? fmt::format("none of the {} ranks", group.size()) : group.name_of(slowest);
    fail_with(fmt::format("{} {} for {:g} s", who, least == most ? "went on" : "did not go on", seconds(options.stall)),
              nullptr);
  }

  void lose(Peer& p, const std::string& how) {
    p.broken = true;
    fail_with(fmt::format("{} was lost: {}", group.name_of(p.rank), how), &p);
  }

  void fail_with(const std::string& text, const Peer* from) {
    if (!first_failure.empty()) return;
    first_failure = text;
    ring(failed_fd.fd());
    changed.notify_all();
    for (Peer& p : peers)
      if (&p != from) send(p, failed, text);
  }

  static double seconds(Milliseconds t) { return static_cast<double>(t.count()) / 1000; }

  RankGroup& group;
  RendezvousOptions options;  // of which `stall` may change
  const Socket wake, failed_fd;
  std::thread thread;

  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Peer> peers;
  std::deque<std::string> own_offers, results;
  long offered = 0, taken = 0;
  std::uint64_t progress = 0, advances = 0;
  Clock::time_point went_on = Clock::now();
  std::string first_failure;
  bool ending = false;
};

RankGroup::RankGroup(const LaunchPlace& place, const std::string& fingerprint, const RendezvousOptions& options)
    : place_(place), hosts_{this_host()}, addresses_{place.host}, exceptions_(std::uncaught_exceptions()) {
  require(fingerprint.size() <= 1024, "fingerprints of ranks have at most 1 KiB");
  if (place.size == 1) return;
  if (place.host.empty())
    fail(ErrorKind::usage, "MASTER_ADDR is not set, and " + place.launcher + " does not say where rank 0 is",
         "environment", "set MASTER_ADDR and MASTER_PORT for all ranks (mpirun -x)");
  Meeting m = place.rank == 0 ? meet_as_server(place, fingerprint, options.arrival)
                              : meet_as_client(place, fingerprint, options.arrival);
  hosts_ = std::move(m.hosts);
  addresses_ = std::move(m.addresses);
  token_ = m.token;
  control_ = std::make_unique<Control>(*this, std::move(m.links), options);
}

RankGroup::~RankGroup() {
  if (control_ && std::uncaught_exceptions() > exceptions_) report_failure("stopped with an error of its own");
}

std::string RankGroup::name_of(int r) const {
  return fmt::format("rank {} of {} ({})", r, size(), hosts_[static_cast<std::size_t>(r)]);
}

std::vector<std::string> RankGroup::exchange(const std::string& mine) {
  require((mine.size() + 8) * static_cast<std::size_t>(size()) <= MessageLink::most_bytes,
          "ranks exchange at most 1 MiB, all together");
  advance();
  if (!control_) return {mine};
  Control& c = *control_;
  std::unique_lock lock(c.mutex);
  if (rank() == 0)
    c.own_offers.push_back(mine);
  else
    c.send(c.peers[0], offer, mine);
  ++c.offered;
  c.gather();
  c.changed.wait(lock, [&] { return !c.results.empty() || !c.first_failure.empty(); });
  if (c.results.empty()) fail(ErrorKind::device, c.first_failure, {}, after_a_loss);
  const std::string body = std::move(c.results.front());
  c.results.pop_front();
  ++c.taken;
  lock.unlock();
  Reader reader(body);
  std::vector<std::string> all;
  for (int r = 0; r < size(); ++r) all.push_back(reader.text());
  require(reader.ok, "ranks: a gathered message is damaged");
  return all;
}

unsigned RankGroup::any(unsigned flags) {
  for (const std::string& theirs : exchange(Writer().number(flags).take()))
    flags |= static_cast<unsigned>(Reader(theirs).number());
  return flags;
}

void RankGroup::advance() noexcept {
  if (!control_) return;
  std::lock_guard lock(control_->mutex);
  control_->progress = ++control_->advances;
  control_->went_on = Clock::now();
}

void RankGroup::rest() noexcept {
  if (!control_) return;
  std::lock_guard lock(control_->mutex);
  control_->progress = resting;
}

void RankGroup::set_stall(Milliseconds limit) noexcept {
  if (!control_) return;
  std::lock_guard lock(control_->mutex);
  control_->options.stall = limit;
}

std::string RankGroup::failure() const {
  if (!control_) return {};
  std::lock_guard lock(control_->mutex);
  return control_->first_failure;
}

void RankGroup::check() const {
  if (const std::string text = failure(); !text.empty()) fail(ErrorKind::device, text, {}, after_a_loss);
}

int RankGroup::failure_fd() const { return control_ ? control_->failed_fd.fd() : -1; }

void RankGroup::report_failure(const std::string& text) {
  if (!control_) return;
  std::lock_guard lock(control_->mutex);
  control_->fail_with(name_of(rank()) + ": " + text, nullptr);
}

}  // namespace ipa
