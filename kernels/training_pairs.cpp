#include "kernels/training_pairs.h"

#include <algorithm>

#include "engine/on_device.h"
#include "kernels/grey.h"
#include "kernels/masks.h"

namespace ipa {
namespace {

float scaled(std::uint8_t v) { return scaled_grey(v); }
float scaled(float v) { return v; }

template <class Pixel>
void make(Tensor target, Tensor corrupted, Tensor mask, const Pixel* slices, Tensor masks, Tensor order, Tensor step,
          PairAttributes a, const PairWorkspace& workspace) {
  const auto side = static_cast<int>(target.shape.h);
  const PlaneSize size{side, side};
  const std::size_t n = size.pixels();
  const MaskRule rule{side, side, masks.data ? static_cast<std::uint32_t>(masks.shape.n) : 0, a.redraw};
  const auto now = static_cast<std::uint32_t>(step.i32()[0]);
#pragma omp parallel for schedule(dynamic)
  for (std::int64_t i = 0; i < target.shape.n; ++i) {
    const auto first = static_cast<std::size_t>(i) * n;
    const std::uint32_t sample = a.first_sample + static_cast<std::uint32_t>(i);
    const Pixel* slice = slices + static_cast<std::size_t>(order.i32()[i]) * n;
    float *t = target.f32() + first, *c = corrupted.f32() + first, *m = mask.f32() + first;
    std::transform(slice, slice + n, t, [](Pixel v) { return scaled(v); });
    if (a.flip && draws_flip(a.seed, now, sample))
      for (int row = 0; row < side; ++row) std::reverse(t + size.at(row, 0), t + size.at(row, 0) + side);
    const std::span<std::uint8_t> head(workspace.head + first, n);
    std::transform(t, t + n, head.begin(), [](float v) { return grey_level(v, -1, 127.5f) > head_threshold; });

    MaskDraw draw(rule, a.seed, now, sample);
    auto mask_at = [&](const MaskCandidate& drawn) {
      return std::span<const std::uint8_t>(masks.u8() + static_cast<std::size_t>(drawn.index) * n, n);
    };
    MaskCandidate drawn = draw.next();
    while (draw.judge(drawn, rule.masks > 0 ? share_on_head(mask_at(drawn), head) : share_of_square(rule, drawn, head)))
      drawn = draw.next();
    drawn = draw.best();
    std::fill(m, m + n, 0.0f);
    if (rule.masks > 0)
      std::ranges::copy(mask_at(drawn), m);
    else
      for (int r = 0; r < rule.square(); ++r)
        std::fill_n(m + size.at(drawn.row + r, drawn.column), rule.square(), 1.0f);
    for (std::size_t p = 0; p < n; ++p) c[p] = m[p] != 0 ? a.hole : t[p];
  }
}

}  // namespace

std::size_t training_pairs_workspace_bytes(const Shape& pairs) {
  return static_cast<std::size_t>(pairs.elements()) + static_cast<std::size_t>(pairs.n) * sizeof(PairChoice);
}

void make_training_pairs(Stream& stream, Tensor target, Tensor corrupted, Tensor mask, Tensor slices, Tensor masks,
                         Tensor order, Tensor step, PairAttributes attributes, void* workspace) {
  on_device(
      stream,
      [&] {
        const PairWorkspace w(workspace, target.shape);
        if (slices.dtype == DType::u8)
          make(target, corrupted, mask, slices.u8(), masks, order, step, attributes, w);
        else
          make(target, corrupted, mask, slices.f32(), masks, order, step, attributes, w);
      },
      [&] {
        cuda::make_training_pairs(stream, target, corrupted, mask, slices, masks, order, step, attributes, workspace);
      });
}

}  // namespace ipa
