// The processes that train one run together: mostly one, else those that a launcher started (engine/launch_place.h).
// All of them call the functions below together, in the same order; alone these do nothing.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "engine/comm.h"
#include "engine/launch_place.h"
#include "engine/mpi_plugin.h"
#include "engine/rendezvous.h"
#include "io/checkpoint.h"
#include "nets/trainer.h"

namespace ipa {

class Ranks {
 public:
  // Meets the others: on CPUs, where mpirun started them and the plug-in for MPI is there, by MPI, which also sums;
  // MASTER_ADDR asks for the other way. `fingerprint` as in engine/rendezvous.h. Without a place, or where it is the
  // only one, this process is alone.
  Ranks(const std::optional<LaunchPlace>& place, const std::string& fingerprint, Device device);

  int rank() const { return group_ ? group_->rank() : 0; }
  int count() const { return group_ ? group_->size() : 1; }
  bool first() const { return rank() == 0; }       // who writes files and speaks
  bool by_mpi() const { return mpi_ != nullptr; }  // whose sums are MPI's
  Comm* comm() const { return comm_.get(); }       // none where this process is alone

  // Throws ErrorKind::usage on every rank, naming the first whose `mine` is not rank 0's: "rank 1 of 2 (host) WRONG".
  void require_equal(const std::string& mine, const std::string& wrong, const std::string& hint);

  unsigned any(unsigned flags);  // bitwise or over the ranks
  void rest();                   // what follows, until wait(), may take rank 0 long
  void wait();                   // for all
  void took(double seconds);     // a step: on CPUs, how long one that hangs is waited for depends on the longest

  // Rank 0's to all: what a checkpoint says of a run, without its arrays; networks, Adam's moments and the state.
  void hand_out(std::optional<Checkpoint>& found);
  void hand_out(Gan& gan, TrainerState& state);

 private:
  std::string from_first(const std::string& text);

  bool on_cpu_;
  double least_stall_, longest_step_ = 0;  // seconds
  std::unique_ptr<MpiRanks> mpi_;          // these must outlive
  std::unique_ptr<RankGroup> group_;
  std::unique_ptr<Comm> comm_;
};

}  // namespace ipa
