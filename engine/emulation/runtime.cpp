// engine/cuda/runtime.h for tests on machines without a GPU: one device, whose memory is the host's.
#include "engine/cuda/runtime.h"

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "engine/emulation/queue.h"
#include "engine/error.h"
#include "engine/machine.h"

namespace ipa::cuda {
namespace {

using emulation::Queue;

void* allocate_zeroed(std::size_t bytes) {
  const std::size_t rounded = (bytes + 255) / 256 * 256;
  void* memory = std::aligned_alloc(256, rounded == 0 ? 256 : rounded);
  if (memory) std::memset(memory, 0, rounded);
  return memory;
}

}  // namespace

int device_count() { return 1; }
std::string problem() { return ""; }
std::string device_description(int) { return "emulated on the CPU"; }
void memory_of(int, std::size_t& free, std::size_t& total) {
  const Memory host = ipa::memory_of({});
  free = host.free, total = host.total;
}

void* allocate(int, std::size_t bytes) { return allocate_zeroed(bytes); }
void release(int, void* memory) noexcept { std::free(memory); }
void* allocate_pinned(std::size_t bytes) { return allocate_zeroed(bytes); }
void release_pinned(void* memory) noexcept { std::free(memory); }

void copy_in(int, void* to, const void* from_host, std::size_t bytes) { std::memcpy(to, from_host, bytes); }
void copy_out(int, void* to_host, const void* from, std::size_t bytes) { std::memcpy(to_host, from, bytes); }

std::shared_ptr<void> make_stream(int) { return std::make_shared<Queue>(); }
void wait(void* stream) {
  require(!static_cast<Queue*>(stream)->recording, "a stream that is being recorded cannot be waited for");
}

void copy_in_later(void* stream, void* to, const void* host, std::size_t bytes) {
  static_cast<Queue*>(stream)->enqueue([=] { std::memcpy(to, host, bytes); });
}
void copy_out_later(void* stream, void* host, const void* from, std::size_t bytes) {
  static_cast<Queue*>(stream)->enqueue([=] { std::memcpy(host, from, bytes); });
}

// A device that is always late: work is done when it is waited for, so that steps under way pile up as they may.
std::shared_ptr<void> make_event(int) { return std::make_shared<bool>(true); }
void record(void* event, void*) { *static_cast<bool*>(event) = false; }
void wait_for(void* event) { *static_cast<bool*>(event) = true; }
bool is_done(void* event) { return *static_cast<bool*>(event); }

using Clock = std::chrono::steady_clock;
std::shared_ptr<void> make_clock_event(int) { return std::make_shared<Clock::time_point>(); }
void record_clock(void* event, void* stream) {
  static_cast<Queue*>(stream)->enqueue([=] { *static_cast<Clock::time_point*>(event) = Clock::now(); });
}
double seconds_between(void* from, void* to) {
  return std::chrono::duration<double>(*static_cast<Clock::time_point*>(to) - *static_cast<Clock::time_point*>(from))
      .count();
}

void begin_recording(void* stream) {
  auto* queue = static_cast<Queue*>(stream);
  require(!queue->recording, "a recording within a recording");
  queue->recording = true;
}

std::shared_ptr<void> end_recording(void* stream) {
  auto* queue = static_cast<Queue*>(stream);
  queue->recording = false;
  return std::make_shared<std::vector<std::function<void()>>>(std::exchange(queue->recorded, {}));
}

void replay(void* recording, void* stream) {
  for (const auto& work : *static_cast<std::vector<std::function<void()>>*>(recording))
    static_cast<Queue*>(stream)->enqueue(work);
}

}  // namespace ipa::cuda
