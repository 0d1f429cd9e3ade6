// A program's run neither allocates nor locks, shown by counting every call of the allocator and of
// pthread_mutex_lock in this executable, whichever library makes it, but for those inside oneDNN's execute().
#include <dlfcn.h>
#include <dnnl.h>
#include <pthread.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <new>

#include "graph/ops.h"
#include "graph/program.h"
#include "nets/trainer.h"
#include "tests/support/dot.h"

namespace {

std::atomic<long> allocations{0}, locks{0};
std::atomic<bool> within_onednn{
    false};  // its execute() allocates a few small objects of its own; we cannot change that
void count(std::atomic<long>& counter) { counter += !within_onednn; }

void* counted_new(std::size_t bytes, std::size_t alignment) {
  count(allocations);
  bytes = (std::max<std::size_t>(bytes, 1) + alignment - 1) / alignment * alignment;
  if (void* p = std::aligned_alloc(alignment, bytes)) return p;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t bytes) { return counted_new(bytes, alignof(std::max_align_t)); }
void* operator new(std::size_t bytes, std::align_val_t a) { return counted_new(bytes, static_cast<std::size_t>(a)); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* malloc(std::size_t bytes) {
  count(allocations);
  return __libc_malloc(bytes);
}
void* calloc(std::size_t elements, std::size_t bytes) {
  count(allocations);
  return __libc_calloc(elements, bytes);
}
void* realloc(void* p, std::size_t bytes) {
  count(allocations);
  return __libc_realloc(p, bytes);
}
}

extern "C" int pthread_mutex_lock(pthread_mutex_t* mutex) {
  using Lock = int (*)(pthread_mutex_t*);
  static const auto lock = reinterpret_cast<Lock>(dlsym(RTLD_NEXT, "pthread_mutex_lock"));
  count(locks);
  return lock(mutex);
}

extern "C" dnnl_status_t dnnl_primitive_execute(const_dnnl_primitive_t primitive, dnnl_stream_t stream, int length,
                                                const dnnl_exec_arg_t* arguments) {
  static const auto execute =
      reinterpret_cast<decltype(&dnnl_primitive_execute)>(dlsym(RTLD_NEXT, "dnnl_primitive_execute"));
  within_onednn = true;
  const dnnl_status_t status = execute(primitive, stream, length, arguments);
  within_onednn = false;
  return status;
}

using namespace ipa;
using namespace ipa::test;

namespace {

// A small network of every op that works on its own memory budget: workspace, states, stores, several outputs.
struct Network {
  Graph graph;
  std::vector<Value> states, outputs;

  Value state(const char* name, std::int64_t channels) {
    states.push_back(graph.state(name, {vector_shape(channels)}));
    return states.back();
  }
  BatchNorm norm(std::int64_t c, bool gamma) {
    return {.gamma = gamma ? state("gamma", c) : Value{},
            .beta = state("beta", c),
            .running_mean = state("mean", c),
            .running_var = state("variance", c)};
  }

  Network() {
    const Value x = graph.input("x", {{2, 16, 16, 6}}), shortcut = graph.input("shortcut", {{2, 16, 16, 12}});
    const Value f1 = slice_channels(x, 0, 2), f2 = slice_channels(x, 2, 4), f3 = batch_norm(x, norm(6, true));
    const Value block = multires_tail(f1, f2, f3, shortcut, norm(12, false), norm(12, true), norm(12, true));
    const Value half = max_pool2(block);
    const Value unit =
        respath_tail(half, activation(half, tanh_activation), norm(12, false), norm(12, false), norm(12, true));
    const Value both = concat({upsample_nearest2(unit), upsample_bilinear2(unit), block});
    const Value loss = sum(batch_norm(both, norm(36, false), leaky_relu_activation(0.2f)));
    outputs = {loss};
    for (const Value& d : grad(loss, std::vector<Value>{x, shortcut, states[0]})) outputs.push_back(d);
    graph.store(outputs.back(), state("gradient of gamma", 6));
  }
};

struct Bound {
  Network network;
  std::vector<Buffer> memory;
  Program program;

  Bound() : program(network.graph, plan(network.graph, network.outputs), bind()) {
    for (const Value& v : program.plan().inputs)
      for (std::int64_t i = 0; i < v.shape().elements(); ++i)
        program.tensor(v).f32()[i] = static_cast<float>(i * 7919 % 101) / 50.0f - 1;
  }
  Program::Bindings bind() {
    Program::Bindings bindings;
    for (const Value& v : network.states) {
      memory.emplace_back("state", v.spec().bytes());
      bindings[v.id] = memory.back().tensor(v.spec());
      std::fill_n(bindings[v.id].f32(), v.shape().elements(), 0.5f);
    }
    return bindings;
  }
};

}  // namespace

TEST_CASE("the counters count") {
  const long allocated = allocations, locked = locks;
  std::vector<int> v(1000);
  void* volatile p = std::malloc(10);
  std::free(p);
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  CHECK(v.size() == 1000);
  CHECK(allocations >= allocated + 1);
  CHECK(locks == locked + 1);
}

TEST_CASE("a run neither allocates nor locks") {
  Bound b;
  Stream stream;
  b.program.run(stream);  // OpenMP makes its threads in the first parallel region of the process
  const long allocated = allocations, locked = locks;
  for (int i = 0; i < 5; ++i) b.program.run(stream);
  const long more_allocated = allocations - allocated, more_locked = locks - locked;
  CHECK(more_allocated == 0);
  CHECK(more_locked == 0);
}

TEST_CASE("nor does a whole training step, but for what oneDNN does inside") {
  StepOptions options;
  options.net = {.width = 4, .disc_width = 4};
  options.loss.style_layers = 2;
  options.batch = 1;
  options.size = 96;
  Gan gan;
  Trainer trainer(gan, options);
  for (Parameters* p : {&gan.generator, &gan.disc_global, &gan.disc_patch}) p->initialise(1);
  trainer.step(0);
  Stream stream;
  const long allocated = allocations, locked = locks;
  trainer.program().run(stream);
  const long more_allocated = allocations - allocated, more_locked = locks - locked;
  CHECK(more_allocated == 0);
  CHECK(more_locked == 0);
}

TEST_CASE("profile runs once and returns a time for each step") {
  Bound profiled, run;
  Stream stream;
  const std::vector<double> milliseconds = profiled.program.profile(stream);
  run.program.run(stream);
  REQUIRE(milliseconds.size() == profiled.program.plan().steps.size());
  for (const double t : milliseconds) CHECK(t >= 0);
  for (std::size_t o = 0; o < run.network.outputs.size(); ++o) {
    const Tensor a = run.program.tensor(run.network.outputs[o]),
                 b = profiled.program.tensor(profiled.network.outputs[o]);
    CHECK(std::equal(a.f32(), a.f32() + a.elements(), b.f32()));
  }
  for (std::size_t s = 0; s < run.memory.size(); ++s)
    CHECK(std::equal(static_cast<float*>(run.memory[s].data()),
                     static_cast<float*>(run.memory[s].data()) + run.network.states[s].shape().elements(),
                     static_cast<float*>(profiled.memory[s].data())));
}
