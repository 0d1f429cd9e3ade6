#include "bench/measure_comm.h"

#include <chrono>

#include "bench/statistics.h"
#include "engine/rng.h"
#include "engine/transfer.h"
#include "nets/trainer.h"

namespace ipa::bench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

Tensor first_bytes(const Buffer& buffer, double bytes) {
  return buffer.tensor({vector_shape(static_cast<std::int64_t>(bytes) / 4)});
}

void all_reduce(Comm& comm, Stream& stream, const Tensor& values) {
  comm.start_all_reduce(stream, values);
  comm.finish(stream);
}

void check_sum(Comm& comm, Stream& stream, const Tensor& values) {
  const auto count = static_cast<std::size_t>(values.elements());
  from_host(std::vector<float>(count, static_cast<float>(comm.rank() + 1)), values);
  all_reduce(comm, stream, values);
  stream.wait();
  const float wanted = 0.5f * static_cast<float>(comm.size() * (comm.size() + 1));
  for (const float v : to_host(values)) require(v == wanted, "an all-reduce gave a wrong sum");
  from_host(std::vector<float>(count, 0), values);  // which stay 0 however often they are summed
}

double time_one(Comm& comm, Stream& stream, const Tensor& values, int runs) {
  const int repeats = values.spec().bytes() < 1 << 20 ? 20 : 2;  // in one go, as clock and barrier cost something too
  std::vector<double> seconds;
  for (int r = 0; r < runs; ++r) {
    comm.alive();
    comm.barrier();
    const auto start = Clock::now();
    for (int k = 0; k < repeats; ++k) all_reduce(comm, stream, values);
    stream.wait();
    seconds.push_back(seconds_since(start) / repeats);
  }
  comm.check();
  return median(seconds);
}

void fill_with_noise(const Tensor& t, std::uint32_t sample) {
  RandomSequence random(0, RandomUse::weights, 0, sample);
  std::vector<float> values(static_cast<std::size_t>(t.elements()));
  for (float& v : values) v = random.uniform(-1, 1);
  from_host(values, t);
}

// A trainer with random weights and images; warm when it is made.
struct Work {
  Work(const StepOptions& options, Device device, Comm* comm) : gan(device), trainer(gan, options, comm) {
    for (Parameters* p : {&gan.generator, &gan.disc_global, &gan.disc_patch, &gan.vgg19})
      if (p->allocated()) p->initialise(0);
    fill_with_noise(trainer.corrupted(), 0);
    fill_with_noise(trainer.target(), 1);
    fill_with_noise(trainer.mask(), 2);
    for (int warm_up = 0; warm_up < 2; ++warm_up) trainer.step(0);  // on CUDA the second is recorded
  }

  double seconds(Comm& comm, int runs) {
    std::vector<double> times;
    for (int r = 0; r < runs; ++r) {
      comm.alive();
      comm.barrier();
      const auto start = Clock::now();
      trainer.step(0);
      times.push_back(seconds_since(start));
    }
    return median(times);
  }

  Gan gan;
  Trainer trainer;
};

}  // namespace

std::vector<AllReduceCurve::Point> time_all_reduces(Comm& comm, Device device, double most_bytes, int runs) {
  Stream stream(device);
  const Buffer buffer("all-reduce", static_cast<std::size_t>(most_bytes), device);
  std::vector<AllReduceCurve::Point> points;
  for (double bytes = 4096; bytes <= most_bytes; bytes *= 4) {
    const Tensor values = first_bytes(buffer, bytes);
    check_sum(comm, stream, values);
    points.push_back({bytes, time_one(comm, stream, values, runs)});
  }
  return points;
}

OverlapTimes time_overlap(Comm& comm, Device device, const StepOptions& options, int runs) {
  OverlapTimes times{};
  comm.rest();  // making a trainer may take long
  {
    Work alone(options, device, nullptr);
    times.alone = alone.seconds(comm, runs);
  }
  comm.rest();
  Work together(options, device, &comm);
  times.together = together.seconds(comm, runs);

  Program& program = together.trainer.program();
  Stream stream(device);
  const std::vector<DescribedStep::Part> parts = parts_of(together.trainer.graph().graph, program.plan());
  std::vector<double> bucket_seconds;
  for (const DescribedStep::Part& part : parts) {
    if (part.kind != StepEvent::Kind::start) continue;
    const Buffer buffer("bucket", static_cast<std::size_t>(part.bytes), device);
    const Tensor values = first_bytes(buffer, part.bytes);
    check_sum(comm, stream, values);
    bucket_seconds.push_back(time_one(comm, stream, values, runs));
    times.buckets.push_back(part.bytes);
    times.communication += bucket_seconds.back();
  }

  std::vector<StepEvent> events;
  const std::vector<double> profile = program.profile(stream);
  for (std::size_t s = 0; s < parts.size(); ++s)
    if (parts[s].kind == StepEvent::Kind::compute)
      events.push_back({StepEvent::Kind::compute, profile[s] * 1e-3});
    else
      events.push_back({parts[s].kind, parts[s].bytes});
  std::size_t next = 0;
  times.simulated = simulate(events, [&](double) { return bucket_seconds[next++]; });
  return times;
}

}  // namespace ipa::bench
