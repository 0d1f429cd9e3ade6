// Twenty steps of the whole GAN: the losses stay in a committed band, and a repeat gives the same bytes.
// `test_training "[.band]"` prints the band anew (tests/golden/training_band.txt).
#include <fmt/core.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <fstream>

#include "engine/rng.h"
#include "nets/trainer.h"
#include "tests/support/golden.h"

using namespace ipa;
using namespace ipa::test;

namespace {

constexpr int steps = 20;

StepOptions options() {
  StepOptions o;
  o.net = {.width = 4, .disc_width = 4};
  o.loss.style_layers = 2;
  o.batch = 2;
  o.size = 96;
  return o;
}

// Smooth discs with a hole, another pair each step.
void fill(Trainer& trainer, std::int64_t step) {
  const Shape s = trainer.target().shape;
  for (std::int64_t n = 0; n < s.n; ++n) {
    RandomSequence random(1, RandomUse::mask_draw, static_cast<std::uint64_t>(step), static_cast<std::uint32_t>(n));
    const float cy = random.uniform(40, 56), cx = random.uniform(40, 56), wave = random.uniform(0.2f, 0.5f);
    const auto top = static_cast<std::int64_t>(random.uniform(20, 60)),
               left = static_cast<std::int64_t>(random.uniform(20, 60));
    for (std::int64_t y = 0; y < s.h; ++y)
      for (std::int64_t x = 0; x < s.w; ++x) {
        const float dy = static_cast<float>(y) - cy, dx = static_cast<float>(x) - cx;
        const float inside = 1 / (1 + std::exp(0.5f * (std::sqrt(dy * dy + dx * dx) - 34)));
        const std::int64_t at = (n * s.h + y) * s.w + x;
        const bool hole = y >= top && y < top + 18 && x >= left && x < left + 14;
        const float value = -1 + inside * (1.2f + 0.5f * std::sin(wave * dx) * std::cos(wave * dy));
        trainer.target().f32()[at] = value;
        trainer.mask().f32()[at] = hole;
        trainer.corrupted().f32()[at] = hole ? -1 : value;
      }
  }
}

struct Run {
  Gan gan;
  Trainer trainer{gan, options()};
  std::vector<StepMetrics> metrics;

  explicit Run(double nudge = 0) {
    for (Parameters* p : {&gan.generator, &gan.disc_global, &gan.disc_patch}) p->initialise(3);
    WeightMap vgg = Golden("vgg").under("weights/vgg.");
    for (NamedArray& a : vgg) a.name = "vgg19." + a.name;
    std::erase_if(vgg, [&](const NamedArray& a) { return !gan.vgg19.has(a.name); });
    gan.vgg19.load(vgg, "vgg.safetensors");
    const Tensor values = gan.generator.flat_values();
    for (std::int64_t i = 0; i < values.elements(); ++i)
      values.f32()[i] *= 1 + static_cast<float>(nudge * std::sin(static_cast<double>(i)));
    for (int k = 0; k < steps; ++k) {
      fill(trainer, k);
      metrics.push_back(trainer.step(static_cast<double>(k) / steps));
    }
  }
};

using Row = std::vector<double>;
Row row_of(const StepMetrics& m) {
  return {m.d_global, m.d_patch, m.adversarial, m.l1, m.perceptual, m.style, m.total};
}
const std::string band_file = IPA_TEST_DIR "/golden/training_band.txt";

bool same_bytes(const Tensor& a, const Tensor& b) { return std::memcmp(a.data, b.data, a.spec().bytes()) == 0; }

}  // namespace

TEST_CASE("twenty steps stay in the committed band and repeat to the byte", "[training]") {
  const Run run;
  std::ifstream band(band_file);
  REQUIRE(band);
  for (int k = 0; k < steps; ++k)
    for (const double value : row_of(run.metrics[static_cast<std::size_t>(k)])) {
      double low = 0, high = 0;
      REQUIRE(band >> low >> high);
      INFO("step " << k + 1 << ": " << value << " in [" << low << ", " << high << "]");
      CHECK((value >= low && value <= high));
    }

  const Run again;
  for (auto network : {&Gan::generator, &Gan::disc_global, &Gan::disc_patch}) {
    const Parameters &a = run.gan.*network, &b = again.gan.*network;
    CHECK(same_bytes(a.flat_values(), b.flat_values()));
    CHECK(same_bytes(a.flat_m(), b.flat_m()));
    CHECK(same_bytes(a.flat_v(), b.flat_v()));
    for (const Parameters::Entry& e : a.entries()) CHECK(same_bytes(a.value(e), b.value(e)));
  }
}

TEST_CASE("a step with a NaN in its batch changes no network", "[training]") {
  Gan gan;
  StepOptions o = options();
  o.loss.style = 0;
  Trainer trainer(gan, o);
  for (Parameters* p : {&gan.generator, &gan.disc_global, &gan.disc_patch}) p->initialise(3);
  fill(trainer, 0);
  REQUIRE(trainer.step(0).finite);
  std::vector<std::vector<float>> before;
  auto content = [&] {
    std::vector<std::vector<float>> all;
    for (const Parameters* p : {&gan.generator, &gan.disc_global, &gan.disc_patch})
      for (const Parameters::Entry& e : p->entries())
        all.emplace_back(p->value(e).f32(), p->value(e).f32() + e.shape.elements());
    return all;
  };
  before = content();
  fill(trainer, 1);
  trainer.corrupted().f32()[1234] = std::nanf("");
  CHECK_FALSE(trainer.step(0).finite);
  CHECK(content() == before);
  CHECK(trainer.state().adam_generator == 1);
  fill(trainer, 1);
  CHECK(trainer.step(0).finite);
}

TEST_CASE("the band, from runs whose weights are nudged by a rounding", "[.band]") {
  std::vector<std::unique_ptr<Run>> runs;
  for (const double nudge : {0.0, 1e-7, -1e-7, 3e-7, -3e-7, 1e-6, -1e-6, 3e-6, -3e-6}) runs.push_back(std::make_unique<Run>(nudge));
  std::ofstream out(band_file);
  for (int k = 0; k < steps; ++k) {
    for (std::size_t c = 0; c < row_of({}).size(); ++c) {
      double low = INFINITY, high = -INFINITY;
      for (const auto& r : runs) {
        const double v = row_of(r->metrics[static_cast<std::size_t>(k)])[c];
        low = std::min(low, v), high = std::max(high, v);
      }
      const double margin = 2 * (high - low) + 0.01 * std::abs(high);
      out << fmt::format("{}{:.6g} {:.6g}", c ? "  " : "", low - margin, high + margin);
    }
    out << '\n';
  }
}
