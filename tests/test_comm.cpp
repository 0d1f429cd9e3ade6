// Sums over ranks that are threads, and training on them.
#include <catch2/catch.hpp>
#include <cstring>

#include "engine/rng.h"
#include "engine/thread_comm.h"
#include "graph/ops.h"
#include "nets/trainer.h"
#include "tests/support/dot.h"
#include "tests/support/error_kind.h"

using namespace ipa;
using namespace ipa::test;

namespace {

std::vector<float> numbers(int rank, int which, std::int64_t count) {
  RandomSequence random(9, RandomUse::mask_draw, static_cast<std::uint32_t>(rank), static_cast<std::uint32_t>(which));
  std::vector<float> v(static_cast<std::size_t>(count));
  for (float& x : v) x = random.normal();
  return v;
}

StepOptions options(std::int64_t batch) {
  StepOptions o;
  o.net = {.width = 4, .disc_width = 4};
  o.loss.style = 0;
  o.batch = batch;
  o.size = 96;
  o.bucket_bytes = 20'000;  // several buckets each network
  return o;
}

void fill(Trainer& trainer, int first_sample) {
  const Shape s = trainer.target().shape;
  for (std::int64_t n = 0; n < s.n; ++n) {
    RandomSequence random(1, RandomUse::mask_draw, 5, static_cast<std::uint32_t>(first_sample + n));
    const float wave = random.uniform(0.1f, 0.3f), phase = random.uniform(0, 6);
    for (std::int64_t y = 0; y < s.h; ++y)
      for (std::int64_t x = 0; x < s.w; ++x) {
        const std::int64_t at = (n * s.h + y) * s.w + x;
        const bool hole = y > 30 && y < 50 && x > 20 && x < 44;
        const float value =
            0.9f * std::sin(wave * static_cast<float>(x) + phase) * std::cos(wave * static_cast<float>(y));
        trainer.target().f32()[at] = value;
        trainer.mask().f32()[at] = hole;
        trainer.corrupted().f32()[at] = hole ? -1 : value;
      }
  }
}

void initialise(Gan& gan) {
  for (Parameters* p : {&gan.generator, &gan.disc_global, &gan.disc_patch}) p->initialise(3);
}

std::vector<float> copy(const Tensor& t) { return {t.f32(), t.f32() + t.elements()}; }

using Bytes = std::vector<std::vector<float>>;
Bytes state_of(const Gan& gan) {
  Bytes all;
  for (const Parameters* p : {&gan.generator, &gan.disc_global, &gan.disc_patch})
    for (const Tensor& t : {p->flat_values(), p->flat_gradients(), p->flat_m(), p->flat_v(), p->flat_statistics()})
      all.push_back(copy(t));
  return all;
}

}  // namespace

TEST_CASE("ranks get the sum in the order of the ranks, to the byte", "[ranks]") {
  for (const int ranks : {1, 2, 3, 5}) {
    const std::vector<std::int64_t> sizes{1, 2, 1000, 4099};
    std::vector<std::vector<float>> expected;
    for (std::size_t k = 0; k < sizes.size(); ++k) {
      expected.push_back(numbers(0, static_cast<int>(k), sizes[k]));
      for (int r = 1; r < ranks; ++r) {
        const std::vector<float> more = numbers(r, static_cast<int>(k), sizes[k]);
        for (std::size_t i = 0; i < more.size(); ++i) expected[k][i] += more[i];
      }
    }
    std::vector<int> right(static_cast<std::size_t>(ranks), 0);
    on_thread_ranks(ranks, [&](Comm& comm) {
      Stream stream;
      std::vector<std::vector<float>> mine;
      for (std::size_t k = 0; k < sizes.size(); ++k)
        mine.push_back(numbers(comm.rank(), static_cast<int>(k), sizes[k]));
      for (std::vector<float>& v : mine)
        comm.start_all_reduce(stream, Tensor(v.data(), {vector_shape(static_cast<std::int64_t>(v.size()))}));
      comm.finish(stream);
      float root = static_cast<float>(comm.rank());
      comm.broadcast(Tensor(&root, {scalar_shape}), ranks - 1);
      const unsigned flags = comm.any(1u << comm.rank());
      comm.barrier();
      right[static_cast<std::size_t>(comm.rank())] =
          mine == expected && root == static_cast<float>(ranks - 1) && flags == (1u << ranks) - 1;
    });
    CHECK(right == std::vector<int>(static_cast<std::size_t>(ranks), 1));
  }
}

TEST_CASE("a rank that leaves, and a rank that sums something else, end the others", "[ranks]") {
  CHECK(error_kind(
            [] {
              on_thread_ranks(3, [](Comm& c) {
                if (c.rank() != 1) c.barrier();
              });
            },
            "rank 1 of 3 was lost") == 5);
  CHECK_THROWS(on_thread_ranks(2, [](Comm& c) {
    std::vector<float> v(10);
    Stream stream;
    c.start_all_reduce(stream, Tensor(v.data(), {vector_shape(4 + c.rank())}));
    c.finish(stream);
  }));
}

TEST_CASE("a gradient is told of when it is complete, before the backward pass ends", "[ranks]") {
  Graph g;
  const Value x = g.input("x", {{1, 2, 2, 3}}), w = g.state("w", {vector_shape(3)}),
              early = g.state("early", {{1, 2, 2, 3}}), unused = g.state("unused", {vector_shape(2)}),
              factor = g.state("factor", {scalar_shape});
  const Value y = add_bias(scale(add(x, early), factor), w), loss = sum(add_bias(y, w));  // w is read twice
  const std::vector<Value> wrt{w, early, unused};
  std::vector<std::size_t> order, nodes;
  std::vector<Value> told(wrt.size());
  const std::vector<Value> d = grad(loss, wrt, {.seed = 0.5f, .on_ready = [&](std::size_t i, Value v) {
                                                  order.push_back(i);
                                                  nodes.push_back(g.nodes().size());
                                                  told[i] = v;
                                                }});
  REQUIRE(order.size() == 3);
  CHECK(told == d);
  CHECK(!d[2]);
  const auto at = [&](std::size_t i) {
    return nodes[static_cast<std::size_t>(std::find(order.begin(), order.end(), i) - order.begin())];
  };
  CHECK(at(0) < at(1));  // w is complete while early's gradient is still to be appended
  CHECK(at(0) < g.nodes().size());
}

TEST_CASE("ranks with a part of the batch each get the mean gradient and stay equal", "[ranks]") {
  constexpr int ranks = 2;
  StepOptions o = options(1);
  SECTION("the gradients of one step, discriminators held in place") {
    o.optimizer.lr = 0;
    std::vector<std::vector<double>> expected(3);
    double loss = 0, l1 = 0;
    std::vector<double> mean_statistics;
    for (int r = 0; r < ranks; ++r) {
      Gan gan;
      Trainer trainer(gan, o);
      initialise(gan);
      fill(trainer, r);
      const StepMetrics m = trainer.step(0);
      loss += m.total / ranks, l1 += m.l1 / ranks;
      std::size_t k = 0;
      for (const Parameters* p : {&gan.generator, &gan.disc_global, &gan.disc_patch}) {
        std::vector<double>& sum = expected[k++];
        const std::vector<float> g = copy(p->flat_gradients());
        sum.resize(g.size());
        for (std::size_t i = 0; i < g.size(); ++i) sum[i] += static_cast<double>(g[i]) / ranks;
      }
      const std::vector<float> s = copy(gan.generator.flat_statistics());
      mean_statistics.resize(s.size());
      for (std::size_t i = 0; i < s.size(); ++i) mean_statistics[i] += static_cast<double>(s[i]) / ranks;
    }
    std::vector<double> distance(3 * ranks), losses(ranks), l1s(ranks), statistics(ranks);
    on_thread_ranks(ranks, [&](Comm& comm) {
      Gan gan;
      Trainer trainer(gan, o, &comm);
      initialise(gan);
      fill(trainer, comm.rank());
      const StepMetrics m = trainer.step(0);
      const auto at = static_cast<std::size_t>(comm.rank());
      losses[at] = m.total, l1s[at] = m.l1;
      auto relative = [](const std::vector<double>& e, const std::vector<float>& v) {
        double difference = 0, norm = 0;
        for (std::size_t i = 0; i < v.size(); ++i) difference += (v[i] - e[i]) * (v[i] - e[i]), norm += e[i] * e[i];
        return std::sqrt(difference / norm);
      };
      std::size_t k = 0;
      for (const Parameters* p : {&gan.generator, &gan.disc_global, &gan.disc_patch}) {
        distance[at * 3 + k] = relative(expected[k], copy(p->flat_gradients()));
        ++k;
      }
      statistics[at] = relative(mean_statistics, copy(gan.generator.flat_statistics()));
    });
    for (const double d : distance) CHECK(d < 1e-6);
    for (const double d : statistics) CHECK(d < 1e-6);
    for (const double v : losses) CHECK(v == Approx(loss).epsilon(1e-6));
    for (const double v : l1s) CHECK(v == Approx(l1).epsilon(1e-6));
  }
  SECTION("all ranks hold the same bytes after three steps, and so they do in a repeat") {
    std::vector<Bytes> first(ranks), second(ranks);
    for (std::vector<Bytes>* result : {&first, &second})
      on_thread_ranks(ranks, [&](Comm& comm) {
        Gan gan;
        Trainer trainer(gan, o, &comm);
        initialise(gan);
        for (int step = 0; step < 3; ++step) {
          fill(trainer, 2 * step + comm.rank());
          trainer.step(0);
        }
        (*result)[static_cast<std::size_t>(comm.rank())] = state_of(gan);
      });
    CHECK(first[0] == first[1]);
    CHECK(first == second);
  }
  SECTION("a NaN on one rank holds back all") {
    std::vector<int> held(ranks);
    on_thread_ranks(ranks, [&](Comm& comm) {
      Gan gan;
      Trainer trainer(gan, o, &comm);
      initialise(gan);
      const std::vector<float> before = copy(gan.generator.flat_values());
      fill(trainer, comm.rank());
      if (comm.rank() == 1) trainer.corrupted().f32()[77] = std::nanf("");
      held[static_cast<std::size_t>(comm.rank())] =
          !trainer.step(0).finite && copy(gan.generator.flat_values()) == before && trainer.state().adam_global == 0;
    });
    CHECK(held == std::vector<int>(ranks, 1));
  }
}

TEST_CASE("one rank gives the bytes of none", "[ranks]") {
  Bytes alone, one;
  for (const bool with : {false, true}) {
    const std::vector<std::unique_ptr<Comm>> comms = thread_comms(1);
    Gan gan;
    StepOptions o = options(2);
    o.optimizer.generator_steps = 2;
    Trainer trainer(gan, o, with ? comms[0].get() : nullptr);
    initialise(gan);
    for (int step = 0; step < 2; ++step) {
      fill(trainer, step);
      trainer.step(0);
    }
    (with ? one : alone) = state_of(gan);
  }
  CHECK(alone == one);
}

TEST_CASE("buckets set out during the backward pass, from the end of the gradients", "[ranks]") {
  const std::vector<std::unique_ptr<Comm>> comms = thread_comms(1);
  Gan gan;
  const StepGraph step(gan, options(1), comms[0].get());
  const std::vector<Graph::Node>& nodes = step.graph.nodes();
  std::vector<std::size_t> starts;
  std::size_t finish = 0, last_of_backward = 0;
  for (std::size_t n = 0; n < nodes.size() && !finish; ++n) {
    const std::string name = nodes[n].op->name();
    if (name == "start all-reduce") starts.push_back(n);
    if (nodes[n].scope.find("d disc_global") != std::string::npos) last_of_backward = n;
    if (name == "finish all-reduce") finish = n;
  }
  REQUIRE(starts.size() >= 2);
  CHECK(starts.front() + 5 < last_of_backward);
  CHECK(last_of_backward < starts.back() + 1);
  std::int64_t covered = 0;  // buckets and the report cover the flat gradients once
  for (const std::size_t s : starts) covered += nodes[s].inputs[0].shape().c;
  CHECK(covered == gan.disc_global.flat_spec().shape.c + Parameters::report_room);
}
