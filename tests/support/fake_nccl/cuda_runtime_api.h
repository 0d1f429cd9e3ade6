// The few calls of CUDA that engine/cuda/comm_nccl.cpp makes, acted out: streams and events are numbers, every call is
// written down, and waiting for a stream waits while a collective hangs on it.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

struct FakeNccl {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> calls;
  bool hang = false;    // collectives do not end by themselves
  int in_progress = 0;  // so many more answers are "in progress"
  int async_error = 0;  // what the communicator answers then
  int aborts = 0;
  std::string id;  // the last communicator was made with

  void note(const std::string& call) {
    std::lock_guard lock(mutex);
    calls.push_back(call);
  }
};
inline thread_local FakeNccl* fake_nccl = nullptr;  // of the rank whose thread this is

enum cudaError_t { cudaSuccess };
using cudaStream_t = int*;
using cudaEvent_t = int*;
constexpr int cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2;
inline int fake_side, fake_main, fake_fork, fake_join;

inline std::string fake_name(const int* p) {
  return p == &fake_side ? "side" : p == &fake_main ? "main" : p == &fake_fork ? "fork" : "join";
}
inline cudaError_t cudaSetDevice(int) { return cudaSuccess; }
inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t* s, int) { return *s = &fake_side, cudaSuccess; }
inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t* e, int) {
  static thread_local bool second = false;
  *e = second ? &fake_join : &fake_fork;
  second = !second;
  return cudaSuccess;
}
inline cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s) {
  return fake_nccl->note("record " + fake_name(e) + " on " + fake_name(s)), cudaSuccess;
}
inline cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t e, int) {
  return fake_nccl->note(fake_name(s) + " waits for " + fake_name(e)), cudaSuccess;
}
inline cudaError_t cudaDeviceSynchronize() { return cudaSuccess; }
inline cudaError_t cudaStreamSynchronize(cudaStream_t) {
  std::unique_lock lock(fake_nccl->mutex);
  fake_nccl->changed.wait(lock, [] { return !fake_nccl->hang || fake_nccl->aborts > 0; });
  return cudaSuccess;
}
inline cudaError_t cudaEventDestroy(cudaEvent_t) { return cudaSuccess; }
inline cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }
inline const char* cudaGetErrorString(cudaError_t) { return "none"; }
