// What engine/ needs of a CUDA machine. Implemented by runtime.cpp with the CUDA runtime, and by
// engine/emulation/runtime.cpp in the host's memory. Devices are CUDA ordinals. Everything here may be slow.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace ipa::cuda {

int device_count();                                                 // 0 without a driver
std::string problem();                                              // why there is no device, "" if there is one
std::string device_description(int device);                         // "NVIDIA H200, 139.8 GiB, sm_90"
void memory_of(int device, std::size_t& free, std::size_t& total);  // bytes

void* allocate(int device, std::size_t bytes);  // zero-filled; null if refused
void release(int device, void* memory) noexcept;
void* allocate_pinned(std::size_t bytes);  // host memory that a device copies to and from without a detour
void release_pinned(void* memory) noexcept;

// Wait for all work of the device, then copy.
void copy_in(int device, void* to, const void* from_host, std::size_t bytes);
void copy_out(int device, void* to_host, const void* from, std::size_t bytes);

std::shared_ptr<void> make_stream(int device);
void wait(void* stream);

// Enqueued: `host` is pinned and must not change before the copy is done.
void copy_in_later(void* stream, void* to, const void* host, std::size_t bytes);
void copy_out_later(void* stream, void* host, const void* from, std::size_t bytes);

// A point in a stream's work.
std::shared_ptr<void> make_event(int device);
void record(void* event, void* stream);
void wait_for(void* event);  // on the host
bool is_done(void* event);

// Events that tell the device's time. Recorded while the stream is being recorded, they are part of the recording, and
// every replay sets them.
std::shared_ptr<void> make_clock_event(int device);
void record_clock(void* event, void* stream);
double seconds_between(void* from, void* to);  // both have passed

// Work enqueued on the stream between the two calls is recorded, not run; replay enqueues all of it.
void begin_recording(void* stream);
std::shared_ptr<void> end_recording(void* stream);
void replay(void* recording, void* stream);

}  // namespace ipa::cuda
