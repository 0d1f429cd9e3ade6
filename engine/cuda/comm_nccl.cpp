#include "engine/cuda/comm_nccl.h"

#include <cuda_runtime_api.h>
#include <fmt/core.h>
#include <nccl.h>

#include <cstring>
#include <exception>

#include "engine/cuda/stream.h"
#include "engine/watchdog.h"

namespace ipa::cuda {
namespace {

constexpr Milliseconds explaining{2'000}, finalizing{5'000};

void check_cuda(cudaError_t e, const char* what) {
  if (e != cudaSuccess) fail(ErrorKind::device, fmt::format("{}: {}", what, cudaGetErrorString(e)));
}

class NcclComm final : public Comm {
 public:
  NcclComm(RankGroup& group, Device device, const NcclOptions& options)
      : group_(group), device_(device), exceptions_(std::uncaught_exceptions()) {
    require(!device.is_cpu(), "NCCL sums on CUDA devices");
    check_cuda(cudaSetDevice(device.index), "ranks: choosing the device");
    try {
      make(options);
    } catch (...) {
      release(false);
      throw;
    }
  }
  ~NcclComm() override {
    watchdog_.reset();
    release(std::uncaught_exceptions() == exceptions_);
  }

  int rank() const override { return group_.rank(); }
  int size() const override { return group_.size(); }

  void start_all_reduce(Stream& after, Tensor values) override {
    require(values.device == device_ && values.packed(), "all_reduce: a packed f32 tensor of the rank's device");
    float* data = values.f32();
    check_cuda(cudaEventRecord(fork_, native(after)), "all_reduce: fork");
    check_cuda(cudaStreamWaitEvent(side_, fork_, 0), "all_reduce: fork");
    enqueue([&](ncclComm_t comm) {
      return ncclAllReduce(data, data, static_cast<std::size_t>(values.elements()), ncclFloat32, ncclSum, comm, side_);
    });
    started_ = true;
  }

  void finish(Stream& before) override {
    if (!started_) return;  // outside a capture the side stream may not be joined to one
    started_ = false;
    check_cuda(cudaEventRecord(join_, side_), "all_reduce: join");
    check_cuda(cudaStreamWaitEvent(native(before), join_, 0), "all_reduce: join");
  }

  void broadcast(Tensor values, int root) override {
    require(values.device == device_ && values.packed(), "broadcast: a packed tensor of the rank's device");
    check_cuda(cudaDeviceSynchronize(), "broadcast");
    enqueue([&](ncclComm_t comm) {
      return ncclBroadcast(values.data, values.data, values.spec().bytes(), ncclUint8, root, comm, side_);
    });
    check_cuda(cudaStreamSynchronize(side_), "broadcast");  // an abort ends this wait
    check();
  }

  unsigned any(unsigned flags) override { return group_.any(flags); }

  void alive() override {
    group_.advance();
    watchdog_->alive();
  }
  void rest() override {
    group_.rest();
    watchdog_->rest();
  }
  void check() override { watchdog_->check(); }

 private:
  void make(const NcclOptions& options) {
    check_cuda(cudaStreamCreateWithFlags(&side_, cudaStreamNonBlocking), "ranks: side stream");
    check_cuda(cudaEventCreateWithFlags(&fork_, cudaEventDisableTiming), "ranks: event");
    check_cuda(cudaEventCreateWithFlags(&join_, cudaEventDisableTiming), "ranks: event");
    ncclUniqueId id{};
    if (rank() == 0) settled(ncclGetUniqueId(&id));
    const std::string mine = rank() == 0 ? std::string(id.internal, sizeof id.internal) : "";
    const std::string theirs = group_.exchange(mine)[0];
    require(theirs.size() == sizeof id.internal, "NCCL: rank 0's id has a wrong length");
    std::memcpy(id.internal, theirs.data(), theirs.size());
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;  // no call waits for another rank, so that every wait is ours and can be ended
    const Clock::time_point end = Clock::now() + options.connect;
    ncclResult_t r = ncclCommInitRankConfig(&comm_, size(), id, rank(), &config);
    while (r == ncclInProgress) {
      group_.check();
      if (Clock::now() > end) fail(ErrorKind::device, name() + ": NCCL could not connect the ranks in time");
      std::this_thread::sleep_for(Milliseconds(1));
      settled(ncclCommGetAsyncError(comm_, &r));
    }
    settled(r);
    Watchdog::Options o;
    o.deadline = options.step;
    watchdog_ = std::make_unique<Watchdog>(
        name(), [this] { return poll(); }, [this](const std::string& failure) { abort(failure); }, o);
  }

  // Calls NCCL under the lock that keeps the watchdog from taking the communicator away meanwhile, then waits until the
  // call is through (NCCL may be connecting): without the lock, so that an abort can come.
  template <class F>
  void enqueue(F f) {
    ncclResult_t r = locked(f);
    while (r == ncclInProgress) {
      std::this_thread::sleep_for(std::chrono::microseconds(50));
      locked([&](ncclComm_t comm) { return ncclCommGetAsyncError(comm, &r); });
    }
    settled(r);
  }
  template <class F>
  ncclResult_t locked(F f) {
    std::lock_guard lock(mutex_);
    if (!comm_) {
      check();
      fail(ErrorKind::device, name() + ": the communicator was aborted");
    }
    return f(comm_);
  }
  void settled(ncclResult_t r) const {
    if (r == ncclSuccess) return;
    group_.check();  // knows better, if it knows
    fail(ErrorKind::device, fmt::format("{}: NCCL: {} ({})", name(), ncclGetErrorString(r), ncclGetLastError(nullptr)));
  }

  // On the watchdog's thread.
  std::string poll() {
    if (std::string known = group_.failure(); !known.empty()) return known;
    ncclResult_t r = ncclSuccess;
    {
      std::lock_guard lock(mutex_);
      if (const ncclResult_t failed = ncclCommGetAsyncError(comm_, &r); failed != ncclSuccess) r = failed;
    }
    if (r == ncclSuccess || r == ncclInProgress) return {};
    for (const Clock::time_point end = Clock::now() + explaining; Clock::now() < end;) {  // the group knows names
      if (std::string known = group_.failure(); !known.empty()) return known;
      std::this_thread::sleep_for(Milliseconds(20));
    }
    return fmt::format("{}: NCCL: {} ({})", name(), ncclGetErrorString(r), ncclGetLastError(nullptr));
  }

  void abort(const std::string& failure) {
    group_.report_failure(failure);
    std::lock_guard lock(mutex_);
    if (comm_) ncclCommAbort(comm_);
    comm_ = nullptr;
  }

  void release(bool orderly) noexcept {
    if (comm_) {
      ncclResult_t r = orderly ? ncclCommFinalize(comm_) : ncclInternalError;
      for (const Clock::time_point end = Clock::now() + finalizing; r == ncclInProgress && Clock::now() < end;) {
        std::this_thread::sleep_for(Milliseconds(1));
        if (ncclCommGetAsyncError(comm_, &r) != ncclSuccess) break;
      }
      r == ncclSuccess ? ncclCommDestroy(comm_) : ncclCommAbort(comm_);
      comm_ = nullptr;
    }
    if (fork_) cudaEventDestroy(fork_);
    if (join_) cudaEventDestroy(join_);
    if (side_) cudaStreamDestroy(side_);
  }

  std::string name() const { return group_.name_of(rank()); }

  RankGroup& group_;
  Device device_;
  int exceptions_;
  std::mutex mutex_;  // guards comm_ while the watchdog lives
  ncclComm_t comm_ = nullptr;
  cudaStream_t side_ = nullptr;
  cudaEvent_t fork_ = nullptr, join_ = nullptr;
  bool started_ = false;
  std::unique_ptr<Watchdog> watchdog_;
};

}  // namespace

std::unique_ptr<Comm> nccl_comm(RankGroup& group, Device device, const NcclOptions& options) {
  return std::make_unique<NcclComm>(group, device, options);
}

}  // namespace ipa::cuda
