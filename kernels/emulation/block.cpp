#include "kernels/emulation/block.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/error.h"
#include "kernels/emulation/controls.h"

constinit thread_local uint3 threadIdx{}, blockIdx{};
constinit thread_local dim3 blockDim{}, gridDim{};

namespace ipa::emulation {
namespace {

constinit thread_local Block* current_block = nullptr;

void check_stack(const Fiber& fiber) {
  if (fiber.overflowed())
    fail(ErrorKind::internal, "a thread of a kernel needs more than the emulator's 32 KiB of stack",
         fmt::format("thread ({}, {}, {}) of block ({}, {}, {})", threadIdx.x, threadIdx.y, threadIdx.z, blockIdx.x,
                     blockIdx.y, blockIdx.z));
}

}  // namespace

Block& Block::current() { return *current_block; }

void Block::prepare(const Launch& launch, std::uint64_t seed) {
  launch_ = &launch;
  count_ = launch.block.x * launch.block.y * launch.block.z;
  ended_ = 0;
  random_ = seed;
  choices_ = seed == 0 ? 1 : random() % 2 ? warp_size : count_;
  threads_.resize(std::max<std::size_t>(threads_.size(), count_));
  warps_.resize(std::max<std::size_t>(warps_.size(), (count_ + warp_size - 1) / warp_size));
  barrier_.arrived = 0;
  for (Warp& warp : warps_) warp.meeting.arrived = 0;
  uint3 index{};
  for (unsigned i = 0; i < count_; ++i) {
    threads_[i].index = index;
    threads_[i].fiber = nullptr;
    threads_[i].copies.clear();
    if (++index.x == launch.block.x) index.x = 0, ++index.y;
    if (index.y == launch.block.y) index.y = 0, ++index.z;
  }
  ready_.clear();
  release(0, count_, count_);
}

void Block::run(const Launch& launch, const uint3& index, std::uint64_t seed) {
  current_block = this;
  blockIdx = index;
  blockDim = launch.block;
  gridDim = launch.grid;
  prepare(launch, seed);
  shared_.poison(launch.shared_bytes);
  start(next_ready());
  switch_context(host_, threads_[running_].fiber->context);
  if (error_) {
    idle_.clear();  // the threads in mid-kernel are given up, with their stacks
    fibers_.clear();
    std::rethrow_exception(std::exchange(error_, nullptr));
  }
  shared_.check();
}

void Block::serve() {
  for (;;) {
    try {
      for (;;) {
        launch_->call(launch_->arguments);
        end_thread();
      }
    } catch (...) {
      error_ = std::current_exception();
    }
    switch_context(threads_[running_].fiber->context, host_);
  }
}

Fiber* Block::idle_fiber() {
  if (idle_.empty()) return &fibers_.emplace_back([] { current().serve(); });
  Fiber* fiber = idle_.back();
  idle_.pop_back();
  return fiber;
}

// The caller switches to the thread's fiber, if it is not on it.
void Block::start(unsigned thread) {
  running_ = thread;
  threadIdx = threads_[thread].index;
  if (!threads_[thread].fiber) threads_[thread].fiber = idle_fiber();
}

void Block::end_thread() {
  Thread& me = threads_[running_];
  Fiber& fiber = *me.fiber;
  check_stack(fiber);
  me.state = State::ended;
  if (++ended_ == count_) {
    idle_.push_back(&fiber);
    switch_context(fiber.context, host_);  // comes back with the next block
    return;
  }
  const unsigned next = next_ready();
  idle_.push_back(&fiber);
  start(next);  // takes this very fiber if the thread is a new one
  if (threads_[next].fiber != &fiber) switch_context(fiber.context, threads_[next].fiber->context);
}

void Block::wait() {
  Fiber& fiber = *threads_[running_].fiber;
  check_stack(fiber);
  start(next_ready());
  Fiber& next = *threads_[running_].fiber;
  if (&next != &fiber) switch_context(fiber.context, next.context);
}

unsigned Block::next_ready() {
  if (ready_.empty()) fail(ErrorKind::internal, "the threads of a block wait for each other for ever", describe());
  const std::size_t choices = std::min(choices_, ready_.size());
  if (choices > 1) std::swap(ready_.back(), ready_[ready_.size() - 1 - random() % choices]);
  const unsigned thread = ready_.back();
  ready_.pop_back();
  return thread;
}

// Makes threads ready, the first one uppermost; with a random schedule the order starts at a random warp.
void Block::release(unsigned first, unsigned count, unsigned except) {
  const unsigned turn = choices_ > 1 ? static_cast<unsigned>(random() % count) / warp_size * warp_size : 0;
  for (unsigned i = count; i-- > 0;) {
    const unsigned thread = first + (i + turn < count ? i + turn : i + turn - count);
    threads_[thread].state = State::ready;
    if (thread != except) ready_.push_back(thread);
  }
}

void Block::meet(Meeting& meeting, unsigned first, unsigned count, State state, const Site& site) {
  if (meeting.arrived > 0 && !(meeting.site == site))
    fail(ErrorKind::internal, state == State::at_barrier ? "divergent __syncthreads" : "divergent warp collective",
         to_string(meeting.site) + " and " + to_string(site));
  threads_[running_].state = state;
  threads_[running_].site = site;
  meeting.site = site;
  if (++meeting.arrived < count) return wait();
  meeting.arrived = 0;
  if (choices_ == 1) return release(first, count, running_);  // the last one simply goes on
  release(first, count, count_);
  wait();
}

void Block::sync_threads(const Site& site) {
  if (barrier_.arrived + 1 == count_) detail::note_barrier(site);
  meet(barrier_, 0, count_, State::at_barrier, site);
}

void Block::sync_warp(const Site& site) {
  if (warps_[running_ / warp_size].meeting.arrived + 1 == warp_size) detail::note_barrier(site);
  meet_warp(site);
}

void Block::meet_warp(const Site& site) {
  const unsigned first = running_ - lane();
  Meeting& meeting = warps_[running_ / warp_size].meeting;
  if (first + warp_size > count_)
    fail(ErrorKind::internal, fmt::format("a warp collective in a warp of {} threads", count_ - first), to_string(site),
         "launch a multiple of 32 threads");
  meet(meeting, first, warp_size, State::at_collective, site);
}

const std::byte* Block::exchange(const void* value, std::size_t bytes, const Site& site) {
  Warp& warp = warps_[running_ / warp_size];
  if (warp.meeting.arrived == 0) warp.turn ^= 1;
  auto& slots = warp.slots[warp.turn];
  std::memcpy(slots[lane()].data(), value, bytes);
  meet_warp(site);
  return slots[0].data();
}

std::uint64_t Block::random() {  // splitmix64 (Steele, Lea and Flood 2014)
  std::uint64_t z = random_ += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

std::string Block::describe() const {
  struct Group {
    const Thread* thread;
    unsigned size;
  };
  std::vector<Group> groups;
  for (unsigned i = 0; i < count_; ++i) {
    const Thread& thread = threads_[i];
    const auto same = [&](const Group& g) {
      return g.thread->state == thread.state && (thread.state == State::ended || g.thread->site == thread.site);
    };
    const auto group = std::ranges::find_if(groups, same);
    if (group == groups.end())
      groups.push_back({&thread, 1});
    else
      ++group->size;
  }
  std::string text;
  for (const Group& g : groups) {
    if (!text.empty()) text += ", ";
    if (g.thread->state == State::ended)
      text += fmt::format("{} ended", g.size);
    else
      text += fmt::format("{} wait for their {} at {}", g.size, g.thread->state == State::at_barrier ? "block" : "warp",
                          to_string(g.thread->site));
  }
  return text;
}

}  // namespace ipa::emulation
