// What bench_comm is asked for, and how it tells what came out.
#pragma once

#include <optional>

#include "bench/measure_comm.h"
#include "bench/scaling.h"

namespace ipa::bench {

struct CommOptions {
  StepOptions step;
  std::string device;  // empty: the CPU, or CUDA's description in a simulation
  int ranks = 2, runs = 5;
  double most_mib = 64;
  bool with_step = true, json = false;

  // The simulation's. Where no figure was measured the roof is that of an H200: 4.3 TB/s and 790 TFLOP/s, a copy and a
  // bf16 GEMM as they were measured on one.
  std::vector<int> ranks_list{1, 2, 4, 8, 64, 512};
  std::int64_t global_batch = 512;
  std::string compute_file, all_reduce_file;
  std::vector<double> roof{4300, 790}, within, between;
  double roof_share = 1, gap_us = 1.5;
  LinkModel links;
};

struct CommReport {
  std::string transport;  // "threads", "TCP", "MPI", "NCCL"
  int ranks = 0;
  std::vector<AllReduceCurve::Point> all_reduces;
  std::optional<OverlapTimes> overlap;
};

void print(const CommReport& report, const CommOptions& options);
void print_json(const CommReport& report, const CommOptions& options);

// Simulates and prints, as text or JSON, with everything that is assumed.
void print_scaling(const CommOptions& options);

}  // namespace ipa::bench
