// What bench_ops tells, as a table, as JSON, and beside an older run.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/roof.h"

namespace ipa::bench {

// Of several runs: the median, and between which half of them lie.
struct Timing {
  std::string op;
  double seconds = 0, lower_quartile = 0, upper_quartile = 0;
  double least_seconds = 0;  // at the roof
  Cost cost = {};
};

// Relative distances ||ours - exact|| / ||exact|| from a computation in double.
struct OpError {
  double value = 0;  // the largest of an output or a state
  std::vector<std::optional<double>> gradients =
      {};  // of each input that has one; none where double does not resolve it
};

struct CaseReport {
  std::string name;
  std::vector<Timing> ops;
  std::optional<OpError> error = {};
};

struct OpReport {
  std::string device;  // as described by engine/device.h
  int threads = 0, runs = 0;
  bool flushed = false;  // whether each run found the caches full of other data
  Roof roof = {};
  std::vector<CaseReport> cases = {};
};

std::string heading(const OpReport& report);
std::string to_text(const CaseReport& report);
std::string to_json(const OpReport& report);
OpReport read_op_report(const std::string& path);  // of such JSON; throws ErrorKind::io or input

// Every op of either: then, now, and now / then (below 1: faster).
std::string comparison(const OpReport& then, const OpReport& now);

}  // namespace ipa::bench
