// One block of CUDA threads on one OS thread. A thread runs until it must wait at a barrier or a collective, then
// another one runs; threads that never wait share one stack and cost no switch. Blocks are reused from launch to
// launch.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <string>
#include <vector>

#include "kernels/emulation/async_copies.h"
#include "kernels/emulation/device.h"
#include "kernels/emulation/fiber.h"
#include "kernels/emulation/launch.h"
#include "kernels/emulation/shared_memory.h"

namespace ipa::emulation {

class Block {
 public:
  // Runs block `index` of the launch; throws what went wrong in it.
  void run(const Launch& launch, const uint3& index, std::uint64_t seed);

  // The block whose kernel runs on this OS thread.
  static Block& current();

  // For the thread that runs.
  void sync_threads(const Site& site);
  void sync_warp(const Site& site);
  const std::byte* exchange(const void* value, std::size_t bytes, const Site& site);
  unsigned lane() const { return running_ % warp_size; }
  AsyncCopies& copies() { return threads_[running_].copies; }
  const SharedMemory& shared() const { return shared_; }

 private:
  enum class State : std::uint8_t { ready, at_barrier, at_collective, ended };
  struct Thread {
    uint3 index{};
    State state = State::ready;
    Fiber* fiber = nullptr;  // from its first step to its last
    Site site;               // where it waits
    AsyncCopies copies;
  };
  struct Meeting {
    unsigned arrived = 0;
    Site site;  // of the first to arrive
  };
  struct Warp {
    Meeting meeting;
    // What the lanes show each other. Two sets in turn: when the first lane writes one again, all have read it.
    unsigned turn = 0;
    alignas(16) std::array<std::array<std::array<std::byte, slot_bytes>, warp_size>, 2> slots;
  };

  void prepare(const Launch& launch, std::uint64_t seed);
  void serve();  // what every fiber does: run one thread after the other
  void start(unsigned thread);
  void end_thread();
  void meet_warp(const Site& site);
  void meet(Meeting& meeting, unsigned first, unsigned count, State state, const Site& site);
  void release(unsigned first, unsigned count, unsigned except);
  void wait();
  unsigned next_ready();
  std::uint64_t random();
  Fiber* idle_fiber();
  std::string describe() const;  // who waits where

  const Launch* launch_ = nullptr;
  unsigned count_ = 0, ended_ = 0, running_ = 0;
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  Meeting barrier_;
  std::vector<unsigned> ready_;  // a stack
  std::size_t choices_ = 1;      // the next thread is one of so many at the stack's top
  std::uint64_t random_ = 0;
  SharedMemory shared_;

  std::deque<Fiber> fibers_;
  std::vector<Fiber*> idle_;
  Context host_;
  std::exception_ptr error_;
};

}  // namespace ipa::emulation
