#include "bench/all_reduce_times.h"

#include <algorithm>
#include <cmath>

#include "engine/error.h"

namespace ipa::bench {

double bus_bytes(double bytes, int ranks) { return 2 * bytes * (ranks - 1) / ranks; }

double LinkModel::seconds(double bytes, int ranks) const {
  if (ranks == 1) return 0;
  const double transfer = bus_bytes(bytes, ranks) * 1e-9;
  if (ranks <= node_ranks) return within.latency_us * 1e-6 + transfer / within.bus_gb_s;
  const double nodes = std::ceil(static_cast<double>(ranks) / node_ranks);
  const double latency_us = (node_ranks > 1 ? within.latency_us : 0) + between.latency_us * std::log2(nodes);
  return latency_us * 1e-6 + transfer / std::min(between.bus_gb_s, within.bus_gb_s);
}

double AllReduceCurve::seconds(double bytes, int asked) const {
  require(ranks > 1 && !points.empty(), "all-reduce curve: two ranks and one point at least");
  if (asked == 1) return 0;
  const auto next = std::find_if(points.begin(), points.end(), [&](const Point& p) { return p.bytes >= bytes; });
  double here = 0;  // on as many ranks as were measured
  if (next == points.begin()) {
    here = next->seconds;
  } else if (next == points.end()) {
    here = points.back().seconds * bytes / points.back().bytes;
  } else {
    const Point& last = *(next - 1);
    here = last.seconds + (next->seconds - last.seconds) * (bytes - last.bytes) / (next->bytes - last.bytes);
  }
  const double latency = points.front().seconds, transfer = std::max(0.0, here - latency);
  return latency * std::log2(asked) / std::log2(ranks) + transfer * bus_bytes(1, asked) / bus_bytes(1, ranks);
}

}  // namespace ipa::bench
