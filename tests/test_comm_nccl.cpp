// NcclComm's own part, on a fake of NCCL: what it calls in which order, and how it ends what hangs. Two ranks, threads.
#include "tests/support/fake_nccl/nccl.h"

#include <catch2/catch.hpp>
#include <functional>

#include "engine/cuda/comm_nccl.h"

using namespace ipa;
using Catch::Contains;

namespace {

constexpr Device device{Device::Kind::cuda, 0};

struct TwoRanks {
  FakeNccl fakes[2];
  std::string errors[2];
  cuda::NcclOptions options;

  void run(const std::function<void(Comm&, RankGroup&, FakeNccl&)>& work) {
    const int port = port_of(listen_at("127.0.0.1", 0));
    std::vector<std::thread> threads;
    for (int r = 0; r < 2; ++r)
      threads.emplace_back([&, r] {
        fake_nccl = &fakes[r];
        try {
          RankGroup group({r, 2, r, "127.0.0.1", port, "test"}, "v1");
          const std::unique_ptr<Comm> comm = cuda::nccl_comm(group, device, options);
          work(*comm, group, fakes[r]);
        } catch (const Error& e) {
          errors[r] = std::to_string(e.exit_code()) + " " + e.what();
        }
      });
    for (std::thread& t : threads) t.join();
  }
  std::string calls(int r) {
    std::string all;
    for (const std::string& c : fakes[r].calls) all += c + "; ";
    return all;
  }
};

float memory[8];
const Tensor values(memory, {vector_shape(8)}, device);

}  // namespace

TEST_CASE("ranks share an id, sum on a side stream between events, and part in order") {
  TwoRanks two;
  unsigned flags[2] = {0, 0};  // Catch's checks are for one thread
  for (FakeNccl& f : two.fakes) f.in_progress = 5;
  two.run([&](Comm& comm, RankGroup& group, FakeNccl& fake) {
    Stream stream;
    {
      std::lock_guard lock(fake.mutex);
      fake.in_progress = 3;
    }
    comm.finish(stream);  // nothing was started: nothing to join
    comm.start_all_reduce(stream, values);
    comm.start_all_reduce(stream, values);
    comm.finish(stream);
    comm.finish(stream);
    comm.broadcast(values, 1);
    flags[group.rank()] = comm.any(1u << group.rank());
  });
  const std::string sum = "record fork on main; side waits for fork; sum 8 on side; ";
  for (int r = 0; r < 2; ++r) {
    CHECK(two.errors[r].empty());
    CHECK(flags[r] == 3);
    CHECK(two.calls(r) ==
          "init " + std::to_string(r) + "/2; " + sum + sum +
              "record join on side; main waits for join; broadcast 32 from 1 on side; finalize; destroy; ");
  }
  CHECK(two.fakes[0].id.size() == 128);
  CHECK(two.fakes[0].id == two.fakes[1].id);
}

TEST_CASE("a rank that is lost wakes the one that waits for its device, which names it") {
  TwoRanks two;
  two.run([](Comm& comm, RankGroup& group, FakeNccl& fake) {
    if (group.rank() == 1) fail(ErrorKind::numerical, "diverged");
    fake.hang = true;
    comm.broadcast(values, 1);
  });
  CHECK_THAT(two.errors[0], Contains("5 rank 1 of 2 (") && Contains("stopped with an error of its own"));
  CHECK_THAT(two.calls(0), Contains("abort; ") && !Contains("destroy") && !Contains("finalize"));
  CHECK(two.fakes[0].aborts == 1);
  CHECK_THAT(two.errors[1], Contains("6 diverged"));
  CHECK_THAT(two.calls(1), Contains("abort; ") && !Contains("finalize"));  // which would wait for the others
}

TEST_CASE("an error of NCCL ends both ranks, with its text and the rank it came from") {
  TwoRanks two;
  two.run([](Comm& comm, RankGroup& group, FakeNccl& fake) {
    {
      std::lock_guard lock(fake.mutex);
      fake.hang = true;
      if (group.rank() == 0) fake.async_error = ncclRemoteError;
    }
    comm.broadcast(values, 0);
  });
  for (int r = 0; r < 2; ++r) {
    CHECK_THAT(two.errors[r], Contains("5 rank 0 of 2 (") && Contains("NCCL: remote error (a cable fell out)"));
    CHECK(two.fakes[r].aborts == 1);
  }
}

TEST_CASE("a step that does not end is ended, and nothing is called on an aborted communicator") {
  TwoRanks two;
  two.options.step = Milliseconds(300);
  two.run([](Comm& comm, RankGroup&, FakeNccl& fake) {
    fake.hang = true;
    comm.alive();
    cudaStreamSynchronize(&fake_main);  // as a training thread does; the collective hangs
    try {
      comm.check();
    } catch (const Error&) {
      Stream stream;
      comm.start_all_reduce(stream, values);
    }
  });
  for (int r = 0; r < 2; ++r) {
    CHECK_THAT(two.errors[r], Contains("5 rank ") && Contains("did not finish a step within 0.3 s"));
    CHECK_THAT(two.calls(r), !Contains("sum"));
    CHECK(two.fakes[r].aborts == 1);
  }
}
