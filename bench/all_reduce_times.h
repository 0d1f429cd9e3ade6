// How long an all-reduce takes as a function of its bytes and of the number of ranks: a model, or a measured curve.
//
// Bandwidth is that of the bus, bytes * 2 (R - 1) / R over the time: what each rank of a ring must send and receive,
// and what nccl-tests report (PERFORMANCE.md there), so that it hardly depends on R.
#pragma once

#include <vector>

namespace ipa::bench {

// Bytes that each of `ranks` ranks must send, and receive, to sum so many.
double bus_bytes(double bytes, int ranks);

struct Link {
  double latency_us, bus_gb_s;
};

// Within a node latency + bus bytes / bandwidth; over several the slower link's bandwidth, and the latency between
// nodes for each doubling of their number, as in a tree. The defaults are published figures for H100 and H200 nodes:
//   within: bus bandwidth 480 GB/s by NVLS (NVIDIA's blog on NCCL 2.27; a ring reaches 370), about 20 us a call;
//   between: 325 GB/s over four nodes of eight (NCCL's issue 1221 tells 320 to 330), 46 us (its issue 1244).
// For more than four nodes none was found: the network is taken to scale.
struct LinkModel {
  int node_ranks = 8;
  Link within{20, 480}, between{46, 325};
  double seconds(double bytes, int ranks) const;
};

struct AllReduceCurve {
  struct Point {
    double bytes, seconds;
  };
  int ranks = 0;
  std::vector<Point> points;  // by size, increasing; at least one

  // Linear between points; below the first as that, beyond the last at its bandwidth. For other numbers of ranks over
  // links that are as good: latency (the first point) by the logarithm of the number, the rest by bus bytes.
  double seconds(double bytes, int ranks) const;
};

}  // namespace ipa::bench
