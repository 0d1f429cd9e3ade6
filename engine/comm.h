// Collectives over the ranks of a run. Every rank calls the same collectives in the same order with the same shapes.
//
// Sums: ThreadComm and SocketComm add in the order of the ranks, ((x0 + x1) + x2) + ..., in float: the same bytes from
// run to run, on every rank, and from one of them to the other. NcclComm's order is NCCL's, which is fixed for one
// algorithm, protocol, size and number of ranks.
//
// A rank that is lost or leaves early makes the others' calls throw ErrorKind::device, naming it. After that a Comm is
// of no more use: the process ends with exit code 5 and training goes on from its checkpoint.
#pragma once

#include "engine/stream.h"
#include "engine/tensor.h"

namespace ipa {

class Comm {
 public:
  Comm() = default;
  virtual ~Comm() = default;
  Comm(const Comm&) = delete;
  Comm& operator=(const Comm&) = delete;

  virtual int rank() const = 0;
  virtual int size() const = 0;

  // Begins to replace the flat f32 `values` by their sum over the ranks, once everything enqueued on `after` so far is
  // done: beside what follows on `after`, on a side stream or another thread. Nobody may touch `values` until finish.
  virtual void start_all_reduce(Stream& after, Tensor values) = 0;
  // Whatever is enqueued on `before` from now on sees the sums of all that was started. On the CPU this waits.
  virtual void finish(Stream& before) = 0;

  // Slow, between steps; these wait for every rank.
  virtual void broadcast(Tensor values, int root) = 0;
  virtual void barrier() { any(0); }
  virtual unsigned any(unsigned flags) = 0;  // bitwise or over the ranks, so that all stop, save or end at one step

  // Signs of life, for those who watch for a rank that hangs: alive() before each step, rest() before what may take
  // long, such as validation on one rank while the others wait.
  virtual void alive() {}
  virtual void rest() {}
  // Throws the first failure. To be called when one has waited for a device: a collective that was aborted returns
  // without an error and leaves wrong numbers.
  virtual void check() {}
};

}  // namespace ipa
