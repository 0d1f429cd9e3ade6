#include "kernels/conv_choice_cudnn.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <mutex>
#include <optional>

#include "engine/cuda/check.h"
#include "engine/cuda/runtime.h"
#include "engine/cuda/stream.h"
#include "kernels/conv_cudnn.h"
#include "kernels/conv_direct.h"
#include "kernels/conv_graph_cudnn.h"
#include "kernels/plan_cache.h"

namespace ipa::cuda {
namespace {

constexpr int most_tried = 8;
constexpr int rounds = 4, runs_a_round = 10;  // the fastest round counts

// As far as a sound plan may be from the direct convolution: rounding of the result, and f32 sums in another order.
double error_limit(DType t) { return t == DType::bf16 ? 2e-2 : 1e-5; }

class Handle {
 public:
  explicit Handle(int device) {
    check(cudaSetDevice(device), "cuDNN's device");
    check(cudnnCreate(&handle_), "making a handle");
  }
  ~Handle() { cudnnDestroy(handle_); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  cudnnHandle_t get() const { return handle_; }

 private:
  cudnnHandle_t handle_ = nullptr;
};

class Scratch {
 public:
  Scratch(int device, std::size_t bytes) : device_(device), data_(allocate(device, bytes)) {
    if (!data_)
      fail(ErrorKind::device, fmt::format("no {} MiB of GPU memory to choose a convolution's plan with", bytes >> 20),
           "", "use a smaller batch, or end what else uses this GPU");
  }
  Scratch(Scratch&& other) noexcept : device_(other.device_), data_(std::exchange(other.data_, nullptr)) {}
  ~Scratch() {
    if (data_) release(device_, data_);
  }
  Scratch& operator=(Scratch&&) = delete;
  template <class T = void>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  int device_;
  void* data_;
};

class Event {
 public:
  Event() { check(cudaEventCreate(&event_), "event"); }
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  void record(const Stream& stream) { check(cudaEventRecord(event_, native(stream)), "event"); }
  double milliseconds_since(const Event& start) const {
    float ms = 0;
    check(cudaEventSynchronize(event_), "event");
    check(cudaEventElapsedTime(&ms, start.event_, event_), "event");
    return static_cast<double>(ms);
  }

 private:
  cudaEvent_t event_ = nullptr;
};

// One problem on memory of its own: random operands, the right results, and the trial of one plan after the other.
class Bench {
 public:
  Bench(Stream& stream, const ConvProblem& problem)
      : stream_(stream),
        problem_(problem),
        device_(stream.device().index),
        difference_(device_, sizeof(Difference)),
        workspace_(device_, conv_workspace_limit) {
    const ConvOperand main = conv_result(problem.pass);
    for (const ConvOperand o : conv_operands(problem)) {
      const ConvLayout layout = conv_layout(problem, o);
      operands_.emplace(o, Scratch(device_, layout.bytes()));
      at(o) = operands_.at(o).as();
      if (o == main || o == ConvOperand::sum || o == ConvOperand::sum_squares)
        results_.push_back({o, layout, Scratch(device_, layout.bytes_as_f32())});
      else
        randomise(o);
    }
    make_reference();
  }

  PlanTrial trial(const CudnnPlan& plan) {
    PlanTrial t;
    t.workspace_bytes = plan.workspace_bytes();
    const std::vector<Difference> first = run_and_compare(plan), second = run_and_compare(plan);
    for (std::size_t i = 0; i < first.size(); ++i) {
      const double count = static_cast<double>(results_[i].layout.spec.shape.elements());
      const double norm = std::sqrt(first[i].reference_squared);
      t.error = std::max(t.error, std::sqrt(first[i].squared) / norm, not_less);
      t.worst = std::max(t.worst, first[i].largest / (norm / std::sqrt(count)), not_less);
      t.repeats = t.repeats && (problem_.fusion.any_order || first[i].bits == second[i].bits);
    }
    const bool may_clip = problem_.fusion.normalise || problem_.fusion.activation.kind != Activation::Kind::none;
    t.keeps_nan = !may_clip || keeps_nan(plan);
    t.milliseconds = time(plan);
    return t;
  }

 private:
  struct Result {
    ConvOperand operand;
    ConvLayout layout;
    Scratch reference;  // f32, packed
  };

  static bool not_less(double a, double b) { return !(a >= b); }  // so that max keeps a NaN

  void*& at(ConvOperand o) { return pointers_[static_cast<std::size_t>(o)]; }

  // Filters of such a size that results are of the order of 1, where activations are neither linear nor saturated.
  void randomise(ConvOperand o) {
    const ConvLayout l = conv_layout(problem_, o);
    const Shape& w = conv_layout(problem_, ConvOperand::w).spec.shape;
    const float amplitude = o == ConvOperand::w ? 3 / std::sqrt(static_cast<float>(w.h * w.w * w.c)) : 1;
    fill_random(stream_, l.spec.dtype, at(o), l.spec.shape.pixels() * l.pitch, amplitude,
                static_cast<std::uint32_t>(o) + 1);
  }

  void make_reference() {
    float* main = results_.front().reference.as<float>();
    conv_direct(stream_, problem_, pointers_, main);
    if (!problem_.fusion.statistics) return;
    const std::int64_t c = results_.front().layout.spec.shape.c;
    const Scratch both(device_, static_cast<std::size_t>(2 * c) * sizeof(float));
    conv_direct_statistics(stream_, problem_, main, both.as<float>());
    for (std::size_t i = 1; i <= 2; ++i)
      check(cudaMemcpyAsync(results_[i].reference.as(), both.as<float>() + (i - 1) * static_cast<std::size_t>(c),
                            static_cast<std::size_t>(c) * sizeof(float), cudaMemcpyDeviceToDevice, native(stream_)),
            "copy");
    check(cudaStreamSynchronize(native(stream_)), "direct convolution");
  }

  void run(const CudnnPlan& plan) { run_conv_plan(stream_, plan, problem_, pointers_, workspace_.as()); }

  // From poisoned results (all bits set are a NaN): what is not written does not compare as right.
  void run_poisoned(const CudnnPlan& plan) {
    for (const Result& r : results_)
      check(cudaMemsetAsync(at(r.operand), 0xff, r.layout.bytes(), native(stream_)), "poison");
    run(plan);
  }

  Difference compare_result(const Result& r, std::int64_t nan_channels) {
    compare(stream_, r.layout, at(r.operand), r.reference.as<float>(), nan_channels, difference_.as<Difference>());
    Difference d;
    check(cudaMemcpyAsync(&d, difference_.as(), sizeof d, cudaMemcpyDeviceToHost, native(stream_)), "copy");
    check(cudaStreamSynchronize(native(stream_)), "trial of a plan");
    return d;
  }

  std::vector<Difference> run_and_compare(const CudnnPlan& plan) {
    run_poisoned(plan);
    std::vector<Difference> all;
    for (const Result& r : results_) all.push_back(compare_result(r, 0));
    return all;
  }

  // A NaN in the first filter makes the first channel of the result NaN; one in the first shift, all channels.
  bool keeps_nan(const CudnnPlan& plan) {
    const bool normalise = problem_.fusion.normalise;
    const ConvOperand source = normalise ? ConvOperand::shift : ConvOperand::w;
    const ConvLayout l = conv_layout(problem_, source);
    const float nan = std::numeric_limits<float>::quiet_NaN();
    fill_value(stream_, l.spec.dtype, at(source), normalise ? 1 : l.spec.shape.h * l.spec.shape.w * l.pitch, nan);
    run(plan);
    const Result& main = results_.front();
    const bool kept = compare_result(main, normalise ? main.layout.spec.shape.c : 1).numbers == 0;
    randomise(source);
    return kept;
  }

  // In a captured graph, as the training step runs: the host's part of a launch does not count, and a plan that cannot
  // be captured is refused.
  double time(const CudnnPlan& plan) {
    begin_recording(native(stream_));
    try {
      for (int i = 0; i < runs_a_round; ++i) run(plan);
    } catch (const Error&) {
      abandon_recording();
      throw;
    }
    const std::shared_ptr<void> recording = end_recording(native(stream_));
    double best = std::numeric_limits<double>::infinity();
    Event start, end;
    for (int round = 0; round < rounds; ++round) {
      start.record(stream_);
      replay(recording.get(), native(stream_));
      end.record(stream_);
      best = std::min(best, end.milliseconds_since(start) / runs_a_round);
    }
    return best;
  }

  void abandon_recording() noexcept {
    cudaGraph_t graph = nullptr;
    if (cudaStreamEndCapture(native(stream_), &graph) == cudaSuccess) cudaGraphDestroy(graph);
    cudaGetLastError();  // clears it
  }

  Stream& stream_;
  const ConvProblem& problem_;
  int device_;
  std::map<ConvOperand, Scratch> operands_;
  std::vector<Result> results_;  // the main one first
  Scratch difference_, workspace_;
  ConvPointers pointers_{};
};

std::string key_of(int device, const OperationGraph& graph) {
  cudaDeviceProp p{};
  check(cudaGetDeviceProperties(&p, device), "device");
  return fmt::format("cuDNN {}, {}, sm_{}{}: {}", cudnnGetVersion(), p.name, p.major, p.minor, graph.text());
}

CudnnPlan load_kept(const PlanCache& cache, const std::string& key, const Target& target) {
  const auto json = cache.find(key);
  if (!json) return {};
  std::string why_none;
  CudnnPlan plan = CudnnPlan::load(target, *json, why_none);
  if (plan && plan.workspace_bytes() <= conv_workspace_limit) return plan;
  cache.forget(key);
  return {};
}

CudnnPlan choose(Stream& stream, const ConvProblem& problem, const OperationGraph& graph, const Target& target,
                 std::string& why_none) {
  const PlanLimits limits{conv_workspace_limit, error_limit(problem.dtype)};
  std::optional<Bench> bench;
  std::vector<std::string> reasons;
  for (const auto mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    const std::vector<EngineConfig> engines = graph.engines(target, mode, why_none);
    std::vector<CudnnPlan> plans(engines.size());
    const TryPlan try_plan = [&](int candidate, std::string& why_not) -> std::optional<PlanTrial> {
      const auto i = static_cast<std::size_t>(candidate);
      why_not = refusal(engines[i], problem.dtype);
      if (why_not.empty()) plans[i] = CudnnPlan::build(target, engines[i], why_not);
      if (!why_not.empty()) return {};
      if (plans[i].workspace_bytes() > limits.workspace_bytes) {
        why_not = fmt::format("wants {} bytes of workspace", plans[i].workspace_bytes());
        return {};
      }
      try {
        if (!bench) bench.emplace(stream, problem);
        return bench->trial(plans[i]);
      } catch (const Error& e) {
        why_not = e.what();
        return {};
      }
    };
    const PlanChoice choice = choose_plan(static_cast<int>(engines.size()), most_tried, limits, try_plan);
    if (choice.index >= 0) return std::move(plans[static_cast<std::size_t>(choice.index)]);
    if (engines.empty()) reasons.push_back(why_none);
    reasons.insert(reasons.end(), choice.refused.begin(), choice.refused.end());
  }
  constexpr std::size_t most_told = 8;
  if (reasons.size() > most_told) reasons.resize(most_told);
  why_none = fmt::format("{}", fmt::join(reasons, "; "));
  return {};
}

// Plans in use, by key and device. Weak: whoever prepared a convolution owns its plan.
struct Shared {
  std::mutex mutex;
  std::map<std::pair<int, std::string>, std::weak_ptr<const CudnnPlan>> plans;
};
Shared& shared() {
  static Shared all;
  return all;
}

}  // namespace

cudnnHandle_t cudnn_handle(const Stream& stream) {
  thread_local std::map<int, Handle> handles;
  const int device = stream.device().index;
  const cudnnHandle_t handle = handles.try_emplace(device, device).first->second.get();
  check(cudnnSetStream(handle, native(stream)), "setting the stream");
  return handle;
}

void run_conv_plan(const Stream& stream, const CudnnPlan& plan, const ConvProblem& problem,
                   const ConvPointers& operands, void* workspace) {
  std::array<std::int64_t, static_cast<std::size_t>(ConvOperand::count)> ids{};
  ConvPointers data{};
  std::size_t n = 0;
  for (const ConvOperand o : conv_operands(problem)) {
    void* const pointer = operands[static_cast<std::size_t>(o)];
    require(pointer != nullptr, "conv on cuDNN: an operand is missing");
    ids[n] = conv_id(o), data[n++] = pointer;
    if (problem.fusion.any_order && (o == ConvOperand::sum || o == ConvOperand::sum_squares))
      check(cudaMemsetAsync(pointer, 0, conv_layout(problem, o).bytes(), native(stream)), "statistics");
  }
  plan.run(cudnn_handle(stream), std::span(ids.data(), n), std::span(data.data(), n), workspace);
}

std::shared_ptr<const CudnnPlan> find_conv_plan(Stream& stream, const ConvProblem& problem, std::string& why_none) {
  const int device = stream.device().index;
  const Target target = Target::gpu(cudnn_handle(stream));
  OperationGraph graph = conv_graph(problem);
  graph.finish(target);
  const std::string key = key_of(device, graph);
  const std::scoped_lock lock(shared().mutex);  // two threads would disturb each other's timings
  std::weak_ptr<const CudnnPlan>& known = shared().plans[{device, key}];
  if (auto plan = known.lock()) return plan;

  const PlanCache cache(cache_folder() / "plans");
  CudnnPlan plan = load_kept(cache, key, target);
  if (!plan) {
    plan = choose(stream, problem, graph, target, why_none);
    if (!plan) return nullptr;
    const std::string json = plan.json();
    if (cache.keep(key, json) != json) {  // another process was first
      if (CudnnPlan theirs = load_kept(cache, key, target)) plan = std::move(theirs);
    }
  }
  auto result = std::make_shared<const CudnnPlan>(std::move(plan));
  known = result;
  return result;
}

}  // namespace ipa::cuda
