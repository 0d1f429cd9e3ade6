#include "engine/rendezvous_meeting.h"

#include <fmt/core.h>
#include <poll.h>

#include <list>
#include <optional>
#include <random>
#include <thread>

#include "engine/error.h"

namespace ipa {
namespace {

constexpr std::size_t longest_host = 255, longest_fingerprint = 1024;
constexpr Milliseconds farewell{2000};
constexpr Milliseconds patience{5000};  // with a connection that does not say who it is

double seconds(Milliseconds t) { return static_cast<double>(t.count()) / 1000; }

const char* hint_for(ErrorKind kind) {
  return kind == ErrorKind::usage ? "start all ranks with one command"
                                  : "see whether all were started and reach that address";
}

struct Hello {
  int rank = 0, size = 0;
  std::string host, fingerprint;
};

std::string write(const Hello& h) {
  Writer w;
  w.number(static_cast<std::uint64_t>(h.rank)).number(static_cast<std::uint64_t>(h.size));
  return w.text(h.host).text(h.fingerprint).take();
}

std::optional<Hello> read_hello(const Message& m) {
  Reader r(m.body);
  Hello h;
  h.rank = static_cast<int>(r.number() & 0xffffff);
  h.size = static_cast<int>(r.number() & 0xffffff);
  h.host = r.text(longest_host);
  h.fingerprint = r.text(longest_fingerprint);
  return m.type == hello && r.ok ? std::optional(h) : std::nullopt;
}

// Rank 0's side: who is here, and who has knocked without saying who it is.
class Server {
 public:
  Server(const LaunchPlace& place, const std::string& fingerprint)
      : place_(place), fingerprint_(fingerprint), listener_(listen_at(place.host, place.port)) {
    const auto size = static_cast<std::size_t>(place.size);
    here_.resize(size);
    meeting_.hosts.resize(size);
    meeting_.addresses.resize(size);
    meeting_.hosts[0] = this_host();
  }

  Meeting run(Milliseconds arrival) {
    const Clock::time_point end = Clock::now() + arrival;
    while (arrived_ < place_.size) {
      if (Clock::now() > end) refuse(ErrorKind::device, missing(arrival));
      step();
      if (!misfit_.empty()) refuse(ErrorKind::usage, misfit_);
    }
    std::random_device random;
    meeting_.token = std::uint64_t{random()} << 32 | random();
    Writer w;
    w.number(meeting_.token);
    for (std::size_t r = 0; r < here_.size(); ++r) w.text(meeting_.hosts[r]).text(meeting_.addresses[r]);
    const std::string body = w.take();
    for (std::size_t r = 1; r < here_.size(); ++r) {
      here_[r]->send(welcome, body);  // one that broke meanwhile is noticed as lost
      meeting_.links.push_back(std::move(*here_[r]));
    }
    return std::move(meeting_);
  }

 private:
  struct Stranger {
    MessageLink link;
    Clock::time_point until;
  };

  void step() {
    pollfd p{listener_.fd(), POLLIN, 0};
    ::poll(&p, 1, strangers_.empty() ? 100 : 5);
    while (Socket s = accept_one(listener_)) strangers_.push_back({MessageLink(std::move(s)), Clock::now() + patience});
    for (auto s = strangers_.begin(); s != strangers_.end();) {
      std::vector<Message> messages;
      const bool open = s->link.receive(messages);
      const std::optional<Hello> h = messages.empty() ? std::nullopt : read_hello(messages[0]);
      if (h) {
        admit(*h, std::move(s->link));
        s = strangers_.erase(s);
      } else if (!open || !messages.empty() || Clock::now() > s->until) {
        s = strangers_.erase(s);  // not one of us
      } else {
        ++s;
      }
    }
  }

  void admit(const Hello& h, MessageLink link) {
    const auto r = static_cast<std::size_t>(h.rank);
    std::string wrong;
    if (h.size != place_.size)
      wrong = fmt::format("rank {} ({}) was told of {} ranks, rank 0 of {}", h.rank, h.host, h.size, place_.size);
    else if (h.rank >= place_.size)
      wrong = fmt::format("rank {} ({}) is none of the {} ranks", h.rank, h.host, place_.size);
    else if (h.rank == 0 || here_[r])
      wrong = fmt::format("rank {} came twice ({} and {})", h.rank, meeting_.hosts[r], h.host);
    else if (h.fingerprint != fingerprint_)
      wrong = fmt::format("rank {} ({}) runs another program version or other settings than rank 0: {} and {}", h.rank,
                          h.host, h.fingerprint, fingerprint_);
    if (!wrong.empty()) {
      unfit_.push_back(std::move(link));
      if (misfit_.empty()) misfit_ = wrong;
      return;
    }
    meeting_.hosts[r] = h.host;
    meeting_.addresses[r] = peer_address(link.socket());
    here_[r].emplace(std::move(link));
    ++arrived_;
  }

  // Ends the meeting: tells those who came, and for a moment those who still come.
  [[noreturn]] void refuse(ErrorKind kind, const std::string& text) {
    const std::string body = Writer().number(static_cast<std::uint64_t>(kind)).text(text).take();
    const Clock::time_point end = Clock::now() + farewell;
    const int expected = kind == ErrorKind::usage ? place_.size : arrived_;
    for (int told = 1; told < expected && Clock::now() < end; step()) {
      for (MessageLink& link : unfit_) told += link.send(refused, body);
      unfit_.clear();
      for (std::optional<MessageLink>& link : here_) {
        if (link) told += link->send(refused, body);
        link.reset();
      }
    }
    fail(kind, text, {}, hint_for(kind));
  }

  std::string missing(Milliseconds arrival) const {
    std::string ranks;
    for (std::size_t r = 1; r < here_.size(); ++r)
      if (!here_[r]) ranks += (ranks.empty() ? "" : ", ") + std::to_string(r);
    return fmt::format("of {} ranks these did not come to {}:{} within {:g} s: {}", place_.size, place_.host,
                       place_.port, seconds(arrival), ranks);
  }

  const LaunchPlace& place_;
  const std::string& fingerprint_;
  Socket listener_;
  std::list<Stranger> strangers_;
  std::vector<std::optional<MessageLink>> here_;
  std::vector<MessageLink> unfit_;
  std::string misfit_;
  int arrived_ = 1;
  Meeting meeting_;
};

}  // namespace

Meeting meet_as_server(const LaunchPlace& place, const std::string& fingerprint, Milliseconds arrival) {
  return Server(place, fingerprint).run(arrival);
}

Meeting meet_as_client(const LaunchPlace& place, const std::string& fingerprint, Milliseconds arrival) {
  const Clock::time_point end = Clock::now() + arrival;
  const std::string where = fmt::format("{}:{}", place.host, place.port);
  const auto nobody = [&](const char* what) {
    fail(ErrorKind::device,
         fmt::format("rank {} of {}: {} within {:g} s", place.rank, place.size, what, seconds(arrival)), where,
         "see what rank 0 says, and whether this host reaches that port");
  };
  Socket s;
  while (!(s = connect_once(place.host, place.port, Milliseconds(2000)))) {
    if (Clock::now() > end) nobody("rank 0 did not answer");
    std::this_thread::sleep_for(Milliseconds(50));
  }
  MessageLink link(std::move(s));
  link.send(hello, write({place.rank, place.size, this_host(), fingerprint}));
  std::vector<Message> messages;
  while (messages.empty()) {
    pollfd p{link.socket().fd(), POLLIN, 0};
    ::poll(&p, 1, 100);
    if (!link.receive(messages) && messages.empty())
      fail(ErrorKind::device, fmt::format("rank {} of {}: rank 0 went away", place.rank, place.size), where,
           "see what rank 0 says");
    if (Clock::now() > end + patience) nobody("rank 0 did not let all ranks in");
  }
  Reader r(messages[0].body);
  if (messages[0].type == refused) {
    const std::uint64_t kind = r.number();
    const std::string text = r.text(4096);
    const bool usage = kind == static_cast<std::uint64_t>(ErrorKind::usage);
    fail(usage ? ErrorKind::usage : ErrorKind::device, text, {},
         hint_for(usage ? ErrorKind::usage : ErrorKind::device));
  }
  Meeting m;
  m.token = r.number();
  for (int i = 0; i < place.size; ++i) {
    m.hosts.push_back(r.text(longest_host));
    const std::string address = r.text(longest_host);  // empty: on rank 0's host
    m.addresses.push_back(address.empty() ? place.host : address);
  }
  if (messages[0].type != welcome || !r.ok)
    fail(ErrorKind::device, "no rank of this program listens there", where, "set MASTER_PORT to a free port");
  m.links.push_back(std::move(link));
  return m;
}

}  // namespace ipa
