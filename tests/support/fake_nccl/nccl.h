// NCCL's calls of engine/cuda/comm_nccl.cpp, acted out (cuda_runtime_api.h beside this file). A communicator is the
// script of the rank that made it.
#pragma once

#include "tests/support/fake_nccl/cuda_runtime_api.h"

enum ncclResult_t {
  ncclSuccess = 0,
  ncclSystemError = 2,
  ncclInternalError = 3,
  ncclRemoteError = 6,
  ncclInProgress = 7
};
enum ncclDataType_t { ncclUint8, ncclFloat32 };
enum ncclRedOp_t { ncclSum };
using ncclComm_t = FakeNccl*;
struct ncclUniqueId {
  char internal[128];
};
struct ncclConfig_t {
  int blocking;
};
#define NCCL_CONFIG_INITIALIZER \
  { 1 }

inline ncclResult_t fake_answer(FakeNccl& f) {  // under its mutex
  if (f.in_progress > 0) return --f.in_progress, ncclInProgress;
  return static_cast<ncclResult_t>(f.async_error);
}
inline ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  for (int i = 0; i < 128; ++i) id->internal[i] = static_cast<char>(i * 37);  // with zeros inside
  return ncclSuccess;
}
inline ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int ranks, ncclUniqueId id, int rank,
                                           ncclConfig_t* config) {
  FakeNccl& f = *(*comm = fake_nccl);
  f.note("init " + std::to_string(rank) + "/" + std::to_string(ranks) + (config->blocking ? " blocking" : ""));
  std::lock_guard lock(f.mutex);
  f.id.assign(id.internal, sizeof id.internal);
  return fake_answer(f);
}
inline ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* r) {
  std::lock_guard lock(comm->mutex);
  return *r = fake_answer(*comm), ncclSuccess;
}
inline ncclResult_t ncclAllReduce(const void* from, void* to, std::size_t n, ncclDataType_t, ncclRedOp_t,
                                  ncclComm_t comm, cudaStream_t s) {
  comm->note("sum " + std::to_string(n) + " on " + fake_name(s) + (from == to ? "" : " elsewhere"));
  std::lock_guard lock(comm->mutex);
  return fake_answer(*comm);
}
inline ncclResult_t ncclBroadcast(const void*, void*, std::size_t n, ncclDataType_t, int root, ncclComm_t comm,
                                  cudaStream_t s) {
  comm->note("broadcast " + std::to_string(n) + " from " + std::to_string(root) + " on " + fake_name(s));
  return ncclSuccess;
}
inline ncclResult_t ncclCommFinalize(ncclComm_t comm) { return comm->note("finalize"), ncclInProgress; }
inline ncclResult_t ncclCommDestroy(ncclComm_t comm) { return comm->note("destroy"), ncclSuccess; }
inline ncclResult_t ncclCommAbort(ncclComm_t comm) {
  comm->note("abort");
  std::lock_guard lock(comm->mutex);
  ++comm->aborts;
  comm->changed.notify_all();
  return ncclSuccess;
}
inline const char* ncclGetErrorString(ncclResult_t r) { return r == ncclRemoteError ? "remote error" : "other error"; }
inline const char* ncclGetLastError(ncclComm_t) { return "a cable fell out"; }
