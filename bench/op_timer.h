// Times single steps of a program: on CUDA each is recorded and replayed between clock events, so that no launch is
// seen.
#pragma once

#include "bench/op_report.h"
#include "engine/buffer.h"
#include "engine/time_marks.h"
#include "graph/program.h"

namespace ipa::bench {

class OpTimer {
 public:
  // With `flush` 128 MiB are written before each run, more than the caches of a GPU hold (the L2 cache of an H200: 60
  // MB). Without, a recording on CUDA holds eight runs: one alone would be over before the next is launched.
  OpTimer(Device device, bool flush, int runs);

  // Warms the program, then times `steps` of its plan, one after the other, again and again.
  std::vector<Timing> measure(const Graph& graph, Program& program, const std::vector<std::size_t>& steps,
                              const Roof& roof);
  Stream& stream() { return stream_; }

 private:
  Stream stream_;
  TimeMarks marks_;
  bool flush_;
  int runs_;
  Buffer cold_;
};

}  // namespace ipa::bench
