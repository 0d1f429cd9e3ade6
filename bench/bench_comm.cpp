// What summing gradients over ranks costs: all-reduces by size, and how much of them a training step hides. Ranks are
// threads of this process, or the processes that mpirun, torchrun or srun started. `--simulate` reckons weak and strong
// scaling to many ranks instead, of measured or modelled times.
#include <fmt/core.h>
#include <omp.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>

#include "apps/ranks.h"
#include "bench/comm_report.h"
#include "engine/thread_comm.h"

using namespace ipa;
using namespace ipa::bench;

namespace {

CommReport measure(const CommOptions& options, Comm& comm, Device device) {
  CommReport report{.ranks = comm.size()};
  report.all_reduces = time_all_reduces(comm, device, options.most_mib * (1 << 20), options.runs);
  if (options.with_step) report.overlap = time_overlap(comm, device, options.step, options.runs);
  return report;
}

void measure(const CommOptions& options) {
  const std::optional<LaunchPlace> place = find_launch_place();
  const bool started = place && place->size > 1;
  const Device device{options.device == "cuda" ? Device::Kind::cuda : Device::Kind::cpu,
                      started ? place->local_rank : 0};
  if (const std::string problem = device_problem(device); !problem.empty())
    fail(ErrorKind::device, problem, "--device " + options.device);
  CommReport report;
  if (started) {
    Ranks ranks(place, "bench_comm", device);
    report = measure(options, *ranks.comm(), device);
    report.transport = !device.is_cpu() ? "NCCL" : ranks.by_mpi() ? "MPI" : "TCP";
    ranks.wait();
    if (!ranks.first()) return;
  } else {
    if (!device.is_cpu())
      fail(ErrorKind::usage, "a GPU alone has nobody to sum with", "--device cuda",
           "start one process for each GPU, e.g. torchrun --no_python --nproc_per_node 8 bench_comm --device cuda");
    const int team = std::max(1, omp_get_max_threads() / options.ranks);
    on_thread_ranks(options.ranks, [&](Comm& comm) {
      omp_set_num_threads(team);
      CommReport mine = measure(options, comm, device);
      if (comm.rank() == 0) report = std::move(mine);
    });
    report.transport = "threads";
  }
  options.json ? print_json(report, options) : print(report, options);
}

}  // namespace

int main(int argc, char** argv) {
  CommOptions options;
  options.step.batch = 4;
  CLI::App app("Times all-reduces and how much of them a training step hides; or simulates scaling to many ranks");
  app.add_option("--device", options.device, "cpu or cuda; with --simulate cuda unless given")
      ->check(CLI::IsMember({"cpu", "cuda"}));
  app.add_option("--ranks", options.ranks, "threads, where no launcher started several processes")
      ->check(CLI::Range(2, 64))
      ->capture_default_str();
  app.add_option("--most-mib", options.most_mib, "of the largest all-reduce")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--runs", options.runs, "medians of so many")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_flag("--no-step{false}", options.with_step, "all-reduces alone");
  app.add_flag("--json", options.json, "one JSON object");

  CLI::Option_group* step = app.add_option_group("The step");
  step->add_option("--width", options.step.net.width, "of the generator")->capture_default_str();
  step->add_option("--disc-width", options.step.net.disc_width, "of the discriminators")->capture_default_str();
  step->add_option("--size", options.step.size, "side of the slices")->capture_default_str();
  CLI::Option* batch = step->add_option("--batch", options.step.batch, "of a rank; with --simulate 16 unless given");
  batch->check(CLI::PositiveNumber);
  step->add_option("--style", options.step.loss.style_layers, "VGG-19 layers; 0: no style loss")->capture_default_str();
  double bucket_mib = static_cast<double>(options.step.bucket_bytes) / (1 << 20);
  step->add_option("--bucket-mib", bucket_mib, "of gradients that are summed at once")
      ->check(CLI::Range(0.001, 1024.0))
      ->capture_default_str();

  CLI::Option_group* simulation = app.add_option_group("Simulation");
  bool simulate = false;
  simulation->add_flag("--simulate", simulate, "weak and strong scaling, reckoned; runs nothing");
  simulation->add_option("--ranks-list", options.ranks_list, "numbers of ranks")->delimiter(',')->capture_default_str();
  simulation->add_option("--global-batch", options.global_batch, "of all ranks, for strong scaling")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  simulation->add_option("--compute", options.compute_file, "measured: what bench_step --json printed")
      ->check(CLI::ExistingFile);
  simulation->add_option("--all-reduce", options.all_reduce_file, "measured: what bench_comm --json printed")
      ->check(CLI::ExistingFile);
  simulation->add_option("--roof", options.roof, "else: GB/s of a copy, TFLOP/s")->delimiter(',')->expected(2);
  simulation->add_option("--roof-share", options.roof_share, "how much of that is reached")
      ->check(CLI::Range(0.01, 1.0))
      ->capture_default_str();
  simulation->add_option("--gap-us", options.gap_us, "between launches")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  simulation->add_option("--node-ranks", options.links.node_ranks, "ranks of a node")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  simulation->add_option("--within", options.within, "a node: latency in us, bus bandwidth in GB/s")
      ->delimiter(',')
      ->expected(2);
  simulation->add_option("--between", options.between, "nodes: the same")->delimiter(',')->expected(2);
  CLI11_PARSE(app, argc, argv);
  if (options.step.loss.style_layers == 0) options.step.loss.style = 0;
  options.step.bucket_bytes = static_cast<std::size_t>(bucket_mib * (1 << 20));
  try {
    if (simulate) {
      if (!batch->count()) options.step.batch = 16;
      print_scaling(options);
    } else {
      measure(options);
    }
    return 0;
  } catch (const Error& e) {
    fmt::print(stderr, "bench_comm: error: {}\n", e.what());
    return e.exit_code();
  }
}
