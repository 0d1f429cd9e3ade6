#include "bench/op_timer.h"

#include "bench/statistics.h"
#include "graph/cost.h"
#include "kernels/pointwise.h"

namespace ipa::bench {
namespace {

constexpr TensorSpec flushing{{1, 1, 1, std::int64_t{32} << 20}};

}  // namespace

OpTimer::OpTimer(Device device, bool flush, int runs) : stream_(device), marks_(device, 2), flush_(flush), runs_(runs) {
  if (flush) cold_ = Buffer("what flushes caches", flushing.bytes(), device);
}

std::vector<Timing> OpTimer::measure(const Graph& graph, Program& program, const std::vector<std::size_t>& steps,
                                     const Roof& roof) {
  const Device device = stream_.device();
  const int at_once = device.is_cpu() || flush_ ? 1 : 8;
  program.run(stream_);
  std::vector<Recording> recordings;
  for (const std::size_t step : steps)
    recordings.emplace_back(stream_, [&program, step, at_once](Stream& s) {
      for (int k = 0; k < at_once; ++k) program.enqueue_step(s, step);
    });
  std::vector<std::vector<double>> times(steps.size());
  for (int run = 0; run < runs_; ++run)
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (flush_) fill_tensor(stream_, cold_.tensor(flushing), static_cast<float>(run));
      marks_.set(stream_, 0);
      recordings[i].replay(stream_);
      marks_.set(stream_, 1);
      stream_.wait();
      times[i].push_back(marks_.seconds(0, 1) / at_once);
    }
  std::vector<Timing> result;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Graph::Node& node = graph.nodes()[static_cast<std::size_t>(program.plan().steps[steps[i]].node)];
    const Cost cost = cost_on(device, graph, node);
    result.push_back({node.op->name(), median(times[i]), quantile(times[i], 0.25), quantile(times[i], 0.75),
                      roof.least_seconds(cost), cost});
  }
  return result;
}

}  // namespace ipa::bench
