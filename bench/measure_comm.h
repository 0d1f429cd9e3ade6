// What a Comm takes: all-reduces of one size after another, and a training step with it and without. All ranks call
// these together; the figures are those of the rank that asks.
#pragma once

#include "bench/all_reduce_times.h"
#include "bench/described_step.h"
#include "engine/comm.h"

namespace ipa::bench {

// Medians, from 4 KiB to `most_bytes`, each four times the one before. Throws ErrorKind::internal where a sum is wrong.
std::vector<AllReduceCurve::Point> time_all_reduces(Comm& comm, Device device, double most_bytes, int runs);

struct OverlapTimes {
  double alone, together;       // seconds of a step, medians: without and with its all-reduces
  double communication;         // of its all-reduces, one after another, with nothing beside them
  std::vector<double> buckets;  // bytes, in the order in which they set out
  SimulatedStep simulated;      // of the launches, timed one by one, and the all-reduces in one queue
  double exposed() const { return together - alone; }
};
OverlapTimes time_overlap(Comm& comm, Device device, const StepOptions& options, int runs);

}  // namespace ipa::bench
