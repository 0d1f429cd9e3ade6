// What a step needs of a device besides kernels: memory, transfers, recordings, the mailbox, programs that share an
// arena, and messages for devices that are not there.
#include <catch2/catch.hpp>
#include <cstring>

#include "engine/mailbox.h"
#include "engine/recording.h"
#include "engine/transfer.h"
#include "graph/ops.h"
#include "graph/program.h"
#include "kernels/pointwise.h"
#include "tests/support/device_under_test.h"
#include "tests/support/error_kind.h"

using namespace ipa;
using namespace ipa::test;

namespace {

const Device device = device_under_test;

std::vector<float> numbers(std::int64_t count) {
  std::vector<float> v(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = 0.25f * static_cast<float>(i) - 3;  // exact in bf16 up to 64
  return v;
}

float scalar_of(const Buffer& b) { return to_host(b.tensor({scalar_shape})).front(); }

}  // namespace

TEST_CASE("tensors travel to the device and back in any type, padded there") {
  for (const DType dtype : {DType::f32, DType::bf16})
    for (const bool filter : {false, true}) {
      const TensorSpec spec{{3, 2, 1, 5}, dtype, filter};
      CHECK(elements_on(device, spec) == (filter ? 8 : 3) * 2 * 8);
      const Buffer memory("test", bytes_on(device, spec) + 16, device);
      std::vector<unsigned char> bytes(memory.bytes(), 0xEE);
      copy_to_device(bytes.data(), bytes.size(), memory.data(), device);
      const Tensor t = memory.tensor(spec);
      const std::vector<float> values = numbers(t.elements());
      from_host(values, t);
      CHECK(to_host(t) == values);
      copy_to_host(memory.data(), device, bytes.size(), bytes.data());
      const std::size_t row = 8 * size_of(dtype), used = 5 * size_of(dtype), rows = 6;
      for (std::size_t i = 0; i + 16 < bytes.size(); ++i)
        if (i / row >= rows || i % row >= used) CHECK(bytes[i] == 0);
      CHECK(bytes.back() == 0xEE);  // nothing behind the tensor
    }
}

TEST_CASE("a recording repeats its launches with the arguments of its time") {
  Stream stream(device);
  const Buffer x("x", 64, device), factor("factor", 64, device);
  const Tensor t = x.tensor({scalar_shape}), by = factor.tensor({scalar_shape});
  from_host(std::vector{1.0f}, t);
  from_host(std::vector{2.0f}, by);
  float constant = 3;  // gone with this scope's end in a real program; a recording must have taken its value
  Recording recording(stream, [&](Stream& s) {
    scale_tensor(s, t, t, by, constant);
    add_tensors(s, t, t, by);
  });
  CHECK(scalar_of(x) == 1);  // recorded, not run
  constant = -100;
  recording.replay(stream);
  stream.wait();
  CHECK(scalar_of(x) == 1 * 2 * 3 + 2);
  from_host(std::vector{1.0f}, by);  // memory is read when it is replayed
  recording.replay(stream);
  recording.replay(stream);
  stream.wait();
  CHECK(scalar_of(x) == (8 * 3 + 1) * 3 + 1);
}

TEST_CASE("a recording that fails leaves the stream usable") {
  Stream stream(device);
  const Buffer x("x", 64, device);
  const Tensor t = x.tensor({scalar_shape});
  const auto record = [&] {
    Recording(stream, [&](Stream& s) {
      fill_tensor(s, t, 5);
      fail(ErrorKind::numerical, "on purpose");
    });
  };
  CHECK(error_kind(record, "on purpose") == 6);
  fill_tensor(stream, t, 7);
  stream.wait();
  CHECK(scalar_of(x) == 7);
}

TEST_CASE("letters of several steps arrive in order, each with its own step's numbers") {
  Stream stream(device);
  const Buffer to("to", 64, device), from("from", 64, device);
  const Tensor in = to.tensor({scalar_shape}), out = from.tensor({scalar_shape});
  Mailbox mailbox(device, to.data(), sizeof(float), from.data(), sizeof(float), 3);
  CHECK(mailbox.next(true) == nullptr);
  float expected = 0;
  int sent = 0;
  auto send = [&] {
    const auto value = static_cast<float>(++sent);
    std::memcpy(mailbox.outgoing(), &value, sizeof(value));
    mailbox.before_step(stream);
    add_tensors(stream, out, in, in);
    mailbox.after_step(stream);
  };
  auto receive = [&] {
    const std::byte* letter = mailbox.next(true);
    REQUIRE(letter);
    float value;
    std::memcpy(&value, letter, sizeof(value));
    CHECK(value == (expected += 2));
  };
  for (int k = 0; k < 3; ++k) send();
  CHECK(mailbox.full());
  CHECK(error_kind([&] { mailbox.before_step(stream); }, "too many steps under way") == 1);
  for (int k = 0; k < 10; ++k) receive(), send();
  for (int k = 0; k < 3; ++k) receive();
  CHECK(mailbox.next(true) == nullptr);
}

TEST_CASE("programs that share an arena compute what they do alone, warmed up, recorded and replayed") {
  const TensorSpec spec{{2, 5, 7, 3}, DType::bf16};
  struct Small {
    Graph graph;
    Value x, y;
    explicit Small(const TensorSpec& s, float constant) : x(graph.input("x", s)) {
      y = add(scale(activation(x, relu_activation), ipa::constant(graph, {scalar_shape}, 1), constant), x);
    }
  } a(spec, 2), b({{1, 40, 40, 8}, DType::bf16}, 4);
  Program large(b.graph, plan(b.graph, std::vector{b.y}, {.device = device}), {});
  Program small(a.graph, plan(a.graph, std::vector{a.y}, {.device = device}), {}, &large.arena());
  CHECK(small.arena().data() == large.arena().data());
  Stream stream(device);
  const std::vector<float> in_a = numbers(spec.shape.elements()), in_b(1600 * 8, 0.5f);
  for (int run = 0; run < 4; ++run) {
    from_host(in_b, large.tensor(b.x));
    large.run(stream);
    const std::vector<float> out_b = to_host(large.tensor(b.y));
    CHECK(std::all_of(out_b.begin(), out_b.end(), [](float v) { return v == 2.5f; }));
    from_host(in_a, small.tensor(a.x));
    small.run(stream);
    const std::vector<float> out_a = to_host(small.tensor(a.y));
    for (std::size_t i = 0; i < out_a.size(); ++i) {
      const float x = in_a[i], y = x + to_float(to_bf16(2 * std::max(x, 0.0f)));
      CHECK(out_a[i] == to_float(to_bf16(y)));
    }
  }
}

TEST_CASE("a program refuses a stream of another device") {
  Graph graph;
  const Value x = graph.input("x", {{1, 1, 1, 8}});
  Program program(graph, plan(graph, std::vector{activation(x, relu_activation)}, {.device = device}), {});
  Stream cpu;
  CHECK(error_kind([&] { program.run(cpu); }, "another device") == 1);
}

TEST_CASE("a device that is not there is told by its number") {
  CHECK(device_problem({}).empty());
  CHECK(device_problem(device).empty());
  CHECK_THAT(device_problem({Device::Kind::cuda, 99}), Catch::Contains("CUDA device"));
  CHECK_FALSE(device_problem({Device::Kind::cuda, -1}).empty());
  CHECK(best_device() == device);
}
