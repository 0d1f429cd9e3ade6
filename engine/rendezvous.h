// The ranks of a run, connected: they meet at rank 0, agree that they belong together, exchange small messages, and
// watch over each other. Rank 0 has one TCP connection to each of the others; a thread of each process sends a sign of
// life on it and listens. The first failure reaches every rank within a second or so of being noticed: a connection
// that drops is noticed at once, a silent process after `silence`, one that is alive but does not go on after `stall`.
//
// The network is trusted as far as NCCL's and MPI's is (no encryption), but not to send well-formed messages.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/launch_place.h"
#include "engine/sockets.h"

namespace ipa {

// What helps when a rank was lost, for the user.
inline constexpr std::string_view after_a_loss = "start all processes again; training goes on from the last checkpoint";

struct RendezvousOptions {
  Milliseconds arrival{120'000};  // all ranks must have come by then
  Milliseconds silence{10'000};   // a rank not heard of for so long is lost
  Milliseconds stall{0};          // a rank that has not called advance() for so long is lost; 0: never
};

class RankGroup {
 public:
  // Returns when all ranks are here. `fingerprint`: what must be equal on all, such as the program's version and a hash
  // of the settings (at most 1 KiB). ErrorKind::usage on every rank, naming the one at fault, if sizes, ranks or
  // fingerprints do not fit; ErrorKind::device, naming who is missing and where they were to meet, after `arrival`.
  RankGroup(const LaunchPlace& place, const std::string& fingerprint, const RendezvousOptions& options = {});
  // Says goodbye; while an exception passes, tells the others that this rank failed.
  ~RankGroup();
  RankGroup(const RankGroup&) = delete;
  RankGroup& operator=(const RankGroup&) = delete;

  int rank() const { return place_.rank; }
  int size() const { return place_.size; }
  int local_rank() const { return place_.local_rank; }
  std::string name_of(int rank) const;  // "rank 2 of 4 (host)"
  // Where rank `r` can be connected to from here.
  const std::string& address_of(int r) const { return addresses_[static_cast<std::size_t>(r)]; }
  std::uint64_t token() const { return token_; }  // the same on all ranks, drawn by rank 0: tells ours from strangers

  // Every rank's bytes (1 MiB for all ranks together), in the order of the ranks. All ranks call it, in the same order.
  std::vector<std::string> exchange(const std::string& mine);

  unsigned any(unsigned flags);  // bitwise or over the ranks

  // Signs of progress, for `stall`. rest(): nothing is expected until the next advance() (a rank that validates, while
  // others wait for it).
  void advance() noexcept;
  void rest() noexcept;
  void set_stall(Milliseconds limit) noexcept;  // RendezvousOptions::stall from now on; that of rank 0 counts

  std::string failure() const;                   // the first failure known here; empty while all is well
  void check() const;                            // throws it, ErrorKind::device
  int failure_fd() const;                        // becomes readable with the failure, for poll()
  void report_failure(const std::string& text);  // of this rank, to all; the first one counts

 private:
  struct Control;

  LaunchPlace place_;
  std::vector<std::string> hosts_, addresses_;
  std::uint64_t token_ = 0;
  int exceptions_;
  std::unique_ptr<Control> control_;  // none if size is 1
};

}  // namespace ipa
