#include "engine/cuda/runtime.h"

#include <fmt/core.h>

#include "engine/cuda/check.h"

namespace ipa::cuda {
namespace {

cudaStream_t native(void* stream) { return static_cast<cudaStream_t>(stream); }
cudaEvent_t event_of(void* event) { return static_cast<cudaEvent_t>(event); }

}  // namespace

void check(cudaError_t status, const char* what, const char* file, int line) {
  if (status == cudaSuccess) return;
  const bool memory = status == cudaErrorMemoryAllocation;
  fail(ErrorKind::device, fmt::format("{}: {}", what, cudaGetErrorString(status)), fmt::format("{}:{}", file, line),
       memory ? "use a smaller batch, or free memory of the GPU" : "run again; if it stays, try another GPU or driver");
}

int device_count() {
  int count = 0;
  if (cudaGetDeviceCount(&count) == cudaSuccess) return count;
  cudaGetLastError();  // clears it
  return 0;
}

std::string problem() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaSuccess) return count > 0 ? "" : "no CUDA device was found";
  cudaGetLastError();
  return cudaGetErrorString(status);
}

std::string device_description(int device) {
  cudaDeviceProp p{};
  check(cudaGetDeviceProperties(&p, device), "device");
  return fmt::format("{}, {:.1f} GiB, sm_{}{}", p.name, static_cast<double>(p.totalGlobalMem) / (1 << 30), p.major,
                     p.minor);
}

void memory_of(int device, std::size_t& free, std::size_t& total) {
  check(cudaSetDevice(device), "device");
  check(cudaMemGetInfo(&free, &total), "memory");
}

void* allocate(int device, std::size_t bytes) {
  check(cudaSetDevice(device), "device");
  void* memory = nullptr;
  if (const cudaError_t status = cudaMalloc(&memory, bytes); status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    return nullptr;
  } else {
    check(status, "allocate");
  }
  check(cudaMemset(memory, 0, bytes), "allocate");
  check(cudaDeviceSynchronize(), "allocate");  // our streams do not wait for the default stream
  return memory;
}

void release(int device, void* memory) noexcept {
  cudaSetDevice(device);
  cudaFree(memory);
}

void* allocate_pinned(std::size_t bytes) {
  void* memory = nullptr;
  check(cudaMallocHost(&memory, bytes), "pinned memory");
  return memory;
}

void release_pinned(void* memory) noexcept { cudaFreeHost(memory); }

void copy_in(int device, void* to, const void* from_host, std::size_t bytes) {
  check(cudaSetDevice(device), "device");
  check(cudaDeviceSynchronize(), "copy");
  check(cudaMemcpy(to, from_host, bytes, cudaMemcpyHostToDevice), "copy");
  check(cudaDeviceSynchronize(), "copy");  // it returns once the bytes are staged, and our streams would not wait
}

void copy_out(int device, void* to_host, const void* from, std::size_t bytes) {
  check(cudaSetDevice(device), "device");
  check(cudaDeviceSynchronize(), "copy");
  check(cudaMemcpy(to_host, from, bytes, cudaMemcpyDeviceToHost), "copy");
}

std::shared_ptr<void> make_stream(int device) {
  check(cudaSetDevice(device), "device");
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "stream");
  return {stream, [](void* s) { cudaStreamDestroy(native(s)); }};
}

void wait(void* stream) { check(cudaStreamSynchronize(native(stream)), "wait"); }

void copy_in_later(void* stream, void* to, const void* host, std::size_t bytes) {
  check(cudaMemcpyAsync(to, host, bytes, cudaMemcpyHostToDevice, native(stream)), "copy");
}

void copy_out_later(void* stream, void* host, const void* from, std::size_t bytes) {
  check(cudaMemcpyAsync(host, from, bytes, cudaMemcpyDeviceToHost, native(stream)), "copy");
}

std::shared_ptr<void> make_event(int device) {
  check(cudaSetDevice(device), "device");
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "event");
  return {event, [](void* e) { cudaEventDestroy(event_of(e)); }};
}

void record(void* event, void* stream) { check(cudaEventRecord(event_of(event), native(stream)), "event"); }
void wait_for(void* event) { check(cudaEventSynchronize(event_of(event)), "wait"); }

bool is_done(void* event) {
  const cudaError_t status = cudaEventQuery(event_of(event));
  if (status == cudaErrorNotReady) return false;
  check(status, "event");
  return true;
}

std::shared_ptr<void> make_clock_event(int device) {
  check(cudaSetDevice(device), "device");
  cudaEvent_t event = nullptr;
  check(cudaEventCreate(&event), "event");
  return {event, [](void* e) { cudaEventDestroy(event_of(e)); }};
}

// The flag makes the event a node of the graph, instead of a dependency that ends with the capture; it is refused
// elsewhere.
void record_clock(void* event, void* stream) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  check(cudaStreamIsCapturing(native(stream), &status), "event");
  const bool captured = status == cudaStreamCaptureStatusActive;
  check(cudaEventRecordWithFlags(event_of(event), native(stream),
                                 captured ? cudaEventRecordExternal : cudaEventRecordDefault),
        "event");
}

double seconds_between(void* from, void* to) {
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, event_of(from), event_of(to)), "event");
  return 1e-3 * double{milliseconds};
}

void begin_recording(void* stream) {
  check(cudaStreamBeginCapture(native(stream), cudaStreamCaptureModeThreadLocal), "capture");
}

std::shared_ptr<void> end_recording(void* stream) {
  cudaGraph_t graph = nullptr;
  check(cudaStreamEndCapture(native(stream), &graph), "capture");
  cudaGraphExec_t executable = nullptr;
  const cudaError_t status = cudaGraphInstantiate(&executable, graph, 0);
  cudaGraphDestroy(graph);
  check(status, "capture");
  return {executable, [](void* e) { cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(e)); }};
}

void replay(void* recording, void* stream) {
  check(cudaGraphLaunch(static_cast<cudaGraphExec_t>(recording), native(stream)), "replay");
}

}  // namespace ipa::cuda
