// The pairs of a training step, made by the CPU and by the device's code, under the emulator or on a GPU, against what
// they are defined by: the slice, draw_mask and blank.
#include <catch2/catch.hpp>
#include <numeric>

#include "engine/transfer.h"
#include "graph/ops.h"
#include "graph/program.h"
#include "kernels/corrupt.h"
#include "kernels/grey.h"
#include "kernels/masks.h"
#include "kernels/metrics.h"
#include "tests/support/device_under_test.h"

using namespace ipa;
using namespace ipa::test;

namespace {

struct Pairs {
  std::vector<float> target, corrupted, mask;
  friend bool operator==(const Pairs&, const Pairs&) = default;
};

struct Case {
  int side = 48, count = 5;
  bool grey = true;     // u8 slices
  float radius = 0.4f;  // of the head, in sides; 0: no head at all
  MaskSource masks;
  bool flip = true;
  std::uint64_t seed = 7;
  std::int32_t step = 3;
  std::vector<std::int32_t> order{4, 0, 3};
  float hole = -1;
  std::uint32_t first_sample = 0;
};

std::size_t pixels(const Case& c) { return static_cast<std::size_t>(c.side * c.side); }

// A disc with texture, off the centre, on black with a little noise; another in each slice.
std::vector<float> slices_of(const Case& c) {
  std::vector<float> all(static_cast<std::size_t>(c.count) * pixels(c));
  RandomSequence random(99, RandomUse::data_order, 0, 0);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const int p = static_cast<int>(i % pixels(c)), slice = static_cast<int>(i / pixels(c));
    const float x = static_cast<float>(p % c.side) - 0.4f * static_cast<float>(c.side) - static_cast<float>(slice);
    const float y = static_cast<float>(p / c.side) - 0.55f * static_cast<float>(c.side);
    const float r = c.radius * static_cast<float>(c.side);
    const bool inside = x * x + y * y < r * r;
    const float value = inside ? random.uniform(8, 255) : random.uniform(0, 10.4f);
    all[i] = c.grey ? scaled_grey(static_cast<std::uint8_t>(value)) : 2 * value / 255 - 1;
  }
  return all;
}

Pairs expected(const Case& c) {
  const std::vector<float> slices = slices_of(c);
  const std::size_t n = pixels(c);
  const PlaneSize size{c.side, c.side};
  Pairs all;
  for (std::size_t i = 0; i < c.order.size(); ++i) {
    const auto first = slices.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(c.order[i]) * n);
    std::vector<float> target(first, first + static_cast<std::ptrdiff_t>(n));
    const auto step = static_cast<std::uint64_t>(c.step);
    const auto sample = c.first_sample + static_cast<std::uint32_t>(i);
    RandomSequence random(c.seed, RandomUse::flip, step, sample);
    if (c.flip && random.uniform() < 0.5f) flip_left_right(std::span(target), size);
    std::vector<std::uint8_t> grey(n), mask(n);
    quantize_u8(target, -1, 1, grey);
    draw_mask(c.masks, grey, size, c.seed, step, sample, mask);
    std::vector<float> corrupted = target;
    blank(std::span(corrupted), mask, c.hole);
    all.target.insert(all.target.end(), target.begin(), target.end());
    all.corrupted.insert(all.corrupted.end(), corrupted.begin(), corrupted.end());
    all.mask.insert(all.mask.end(), mask.begin(), mask.end());
  }
  return all;
}

struct Made {
  Pairs pairs;
  std::vector<std::byte> raw;  // of all three tensors, padding too
};

Made made(const Case& c, Device device, DType compute) {
  Graph graph;
  const std::int64_t side = c.side;
  const Value slices = graph.state("slices", {{c.count, 1, side, side}, c.grey ? DType::u8 : DType::f32});
  const auto masks_count = static_cast<std::int64_t>(c.masks.set.count());
  const Value masks = masks_count ? graph.state("masks", {{masks_count, 1, side, side}, DType::u8}) : Value{};
  const Value order = graph.state("order", {vector_shape(static_cast<std::int64_t>(c.order.size())), DType::i32});
  const Value step = graph.state("step", {scalar_shape, DType::i32});
  const PairAttributes attributes{c.seed, c.hole, c.flip, c.masks.redraw, c.first_sample};
  const TrainingPairs out = training_pairs(slices, masks, order, step, attributes, compute);
  Program::Bindings bindings;
  std::vector<Buffer> memory;
  auto bind = [&](Value v, const void* from) {
    memory.emplace_back("state", bytes_on(device, v.spec()), device);
    REQUIRE(memory.back().bytes() == v.spec().bytes());  // no backend pads them
    copy_to_device(from, v.spec().bytes(), memory.back().data(), device);
    bindings[v.id] = memory.back().tensor(v.spec());
  };
  const std::vector<float> scaled = slices_of(c);
  std::vector<std::uint8_t> grey(scaled.size());
  quantize_u8(scaled, -1, 1, grey);
  bind(slices, c.grey ? static_cast<const void*>(grey.data()) : scaled.data());
  if (masks) bind(masks, c.masks.set.pixels.data());
  bind(order, c.order.data());
  bind(step, &c.step);
  const std::vector<Value> outputs{out.target, out.corrupted, out.mask};
  Program program(graph, plan(graph, outputs, {.device = device}), bindings);
  const std::vector<std::byte> poison(program.arena().bytes(), std::byte{0xff});
  Stream stream(device);
  for (int k = 0; k < 3; ++k) {  // once, recorded, replayed
    copy_to_device(poison.data(), poison.size(), program.arena().data(), device);
    program.run(stream);
    stream.wait();
  }
  Made m;
  m.pairs = {to_host(program.tensor(out.target)), to_host(program.tensor(out.corrupted)),
             to_host(program.tensor(out.mask))};
  for (const Value v : outputs) {
    std::vector<std::byte> bytes(bytes_on(device, v.spec()));
    copy_to_host(program.tensor(v).data, device, bytes.size(), bytes.data());
    m.raw.insert(m.raw.end(), bytes.begin(), bytes.end());
  }
  return m;
}

template <class T>
bool padding_is_zero(const std::vector<std::byte>& raw) {
  for (std::size_t i = 0; i < raw.size() / sizeof(T); ++i)
    for (std::size_t b = 0; b < sizeof(T); ++b)
      if (i % 8 != 0 && raw[i * sizeof(T) + b] != std::byte{0}) return false;
  return true;
}

Pairs rounded(Pairs p) {
  for (auto* v : {&p.target, &p.corrupted, &p.mask})
    for (float& x : *v) x = to_float(to_bf16(x));
  return p;
}

void check(const Case& c) {
  constexpr Device cpu{}, cuda = device_under_test;
  const Pairs wanted = expected(c);
  REQUIRE(std::accumulate(wanted.mask.begin(), wanted.mask.end(), 0.0f) > 0);
  CHECK(made(c, cpu, DType::f32).pairs == wanted);
  set_schedule(0);
  const Made f32 = made(c, cuda, DType::f32), b16 = made(c, cuda, DType::bf16);
  CHECK(f32.pairs == wanted);
  CHECK(padding_is_zero<float>(f32.raw));
  CHECK(b16.pairs == rounded(wanted));
  CHECK(padding_is_zero<bf16>(b16.raw));
  for (const unsigned schedule : {1u, 2u}) {
    set_schedule(schedule);
    CHECK(made(c, cuda, DType::bf16).raw == b16.raw);
  }
  set_schedule(0);
}

// Blocks and lines: some on the head, most beside it.
MaskSource set_of(int side, bool redraw = true) {
  MaskSet set{side, std::vector<std::uint8_t>(static_cast<std::size_t>(9 * side * side))};
  RandomSequence random(5, RandomUse::mask_train, 0, 0);
  for (int m = 0; m < 8; ++m) {  // the last stays empty
    const auto size = static_cast<std::uint32_t>(side);
    const int top = static_cast<int>(random.below(size)), left = static_cast<int>(random.below(size));
    for (int r = top; r < std::min(side, top + 3 + m); ++r)
      for (int k = left; k < std::min(side, left + 7); ++k)
        set.pixels[static_cast<std::size_t>((m * side + r) * side + k)] = 1;
  }
  return {set, redraw};
}

}  // namespace

TEST_CASE("squares, redrawn until they lie on the head") {
  Case c;
  for (const std::uint64_t seed : {7ull, 0x1234567890ull})
    for (const std::int32_t step : {0, 3, 100000}) {
      c.seed = seed, c.step = step;
      INFO("seed " << seed << ", step " << step);
      check(c);
    }
}

TEST_CASE("a set of masks, redrawn or taken as it comes, mirrored slices or not") {
  Case c;
  for (const bool redraw : {true, false})
    for (const bool flip : {true, false})
      for (const std::int32_t step : {1, 2}) {
        c.masks = set_of(c.side, redraw), c.flip = flip, c.step = step;
        INFO("redraw " << redraw << ", flip " << flip << ", step " << step);
        check(c);
      }
}

TEST_CASE("where no mask lies on the head the best of 201 is taken") {
  Case c;
  c.side = 24;
  c.radius = 0.06f;
  c.order = {1, 2};
  check(c);
  c.masks = set_of(c.side);
  check(c);
  c.radius = 0;
  c.masks = {};
  check(c);
}

TEST_CASE("slices that are not 8-bit, other hole values, a batch of one, sizes off the block") {
  Case c;
  c.grey = false;
  c.hole = 0.25f;
  check(c);
  c.masks = set_of(c.side);
  c.order = {2};
  c.first_sample = 5;
  check(c);
  c.side = 72;
  c.masks = set_of(c.side);
  c.grey = true;
  c.order = {0, 0, 1, 2, 3, 4, 4};
  check(c);
}

TEST_CASE("grey levels survive being scaled") {
  for (int v = 0; v < 256; ++v) CHECK(grey_level(scaled_grey(static_cast<std::uint8_t>(v)), -1, 127.5f) == v);
}
