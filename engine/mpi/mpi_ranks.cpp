#define OMPI_SKIP_MPICXX 1
#include "engine/mpi/mpi_ranks.h"

#include <mpi.h>

#include <atomic>
#include <cstring>
#include <exception>
#include <limits>

#include "engine/queued_comm.h"

namespace ipa {
namespace {

class MpiComm final : public QueuedComm {
 public:
  explicit MpiComm(RankGroup& group) : QueuedComm(group) { begin(); }
  ~MpiComm() override { end(); }

 private:
  bool gather_shares(const Tensor& values, float* room) override {
    const Shares all = shares(values);
    const int mine = all.counts[static_cast<std::size_t>(rank())];
    Shares places{std::vector<int>(all.counts.size(), mine), {}};
    for (int r = 0; r < size(); ++r) places.firsts.push_back(r * mine);
    MPI_Request request;
    MPI_Ialltoallv(values.data, all.counts.data(), all.firsts.data(), MPI_FLOAT, room, places.counts.data(),
                   places.firsts.data(), MPI_FLOAT, MPI_COMM_WORLD, &request);
    return finished(request);
  }

  bool hand_out_shares(const Tensor& values) override {
    const Shares all = shares(values);
    MPI_Request request;
    MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, values.data, all.counts.data(), all.firsts.data(), MPI_FLOAT,
                    MPI_COMM_WORLD, &request);
    return finished(request);
  }

  bool send_around(const Tensor& values, int root) override {
    MPI_Request request;
    MPI_Ibcast(values.data, as_int(static_cast<std::int64_t>(values.spec().bytes())), MPI_BYTE, root, MPI_COMM_WORLD,
               &request);
    return finished(request);
  }

  void interrupt() noexcept override { ending_ = true; }

  struct Shares {
    std::vector<int> counts, firsts;
  };
  Shares shares(const Tensor& values) const {
    Shares s;
    for (int r = 0; r < size(); ++r) {
      const Range range = share_of(values.elements(), r, size());
      s.counts.push_back(as_int(range.count));
      s.firsts.push_back(as_int(range.first));
    }
    return s;
  }
  static int as_int(std::int64_t n) {
    require(n <= std::numeric_limits<int>::max(), "MPI: more elements than an int counts");
    return static_cast<int>(n);
  }

  // MPI waits forever for a rank that is lost, so we ask and do not wait. A request that is given up stays MPI's.
  bool finished(MPI_Request& request) {
    int done = 0;
    for (int i = 0; !done; ++i) {
      MPI_Test(&request, &done, MPI_STATUS_IGNORE);
      if (done) break;
      if (ending_ || !group_.failure().empty()) return false;
      if (i > 200) std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
    return true;
  }

  std::atomic<bool> ending_ = false;
};

}  // namespace

MpiSession::MpiSession() {
  int provided = 0;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided);
  if (provided < MPI_THREAD_SERIALIZED)
    fail(ErrorKind::device, "this MPI serves one thread only", {}, "use an MPI with MPI_THREAD_SERIALIZED");
}

MpiSession::~MpiSession() {
  if (std::uncaught_exceptions() == 0) MPI_Finalize();  // it waits for all ranks, of which one may be lost
}

LaunchPlace MpiSession::place() const {
  LaunchPlace p;
  p.launcher = "MPI";
  MPI_Comm_rank(MPI_COMM_WORLD, &p.rank);
  MPI_Comm_size(MPI_COMM_WORLD, &p.size);
  MPI_Comm host;
  int on_host = 0;
  MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, p.rank, MPI_INFO_NULL, &host);
  MPI_Comm_rank(host, &p.local_rank);
  MPI_Comm_size(host, &on_host);
  MPI_Comm_free(&host);
  struct {
    char name[256];
    int port;
  } meeting{};
  if (p.rank == 0) {
    const std::string name = on_host == p.size ? "127.0.0.1" : this_host();
    std::strncpy(meeting.name, name.c_str(), sizeof meeting.name - 1);
    meeting.port = port_of(listen_at(name, 0));
  }
  MPI_Bcast(&meeting, sizeof meeting, MPI_BYTE, 0, MPI_COMM_WORLD);
  p.host = meeting.name;
  p.port = meeting.port;
  return p;
}

std::unique_ptr<Comm> mpi_comm(RankGroup& group) { return std::make_unique<MpiComm>(group); }

}  // namespace ipa
