#include "apps/slice_inpainter.h"

#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "kernels/change_map.h"

namespace ipa {
namespace {

constexpr double largest_hole = 0.0625;  // of a slice: the square; arbitrary training masks cover up to 5.46 %

}  // namespace

SliceInpainter::SliceInpainter(const Model& model, Composite composite, const SliceNetworkOptions& options)
    : network_(model, options),
      composite_(composite),
      threshold_(model.change_threshold),
      threads_(omp_get_max_threads()) {}

void SliceInpainter::scale(InpaintBatch& batch) const {
  const std::size_t n = batch.size.pixels(), bytes = n * bytes_of(batch.type);
  require(batch.slices.size() == batch.count() * bytes, "inpaint: sizes differ");
  batch.in.resize(batch.count() * n);
  for (std::size_t i = 0; i < batch.count(); ++i)
    ipa::scale(batch.type, batch.slices.data() + i * bytes, n, batch.ranges[i], batch.in.data() + i * n);
}

void SliceInpainter::infer(InpaintBatch& batch) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  batch.out.resize(batch.in.size());
  network_.run(batch.in, batch.size, batch.out);
  network_seconds_ += std::chrono::duration<double>(Clock::now() - start).count();
}

void SliceInpainter::compose(InpaintBatch& batch) {
  const std::size_t n = batch.size.pixels();
  require(composite_ != Composite::mask || !batch.masks.empty(), "inpaint: no masks to composite by");
  require(batch.masks.empty() || batch.masks.size() == batch.count() * n, "inpaint: sizes differ");
  batch.result.resize(batch.slices.size());
  batch.change.resize(batch.count() * n);
  const auto count = static_cast<std::int64_t>(batch.count());
  InpaintTotals& t = totals_;
  std::int64_t changed_slices = 0, changed_pixels = 0, large = 0;
#pragma omp parallel for num_threads(threads_) schedule(dynamic) reduction(+ : changed_slices, changed_pixels, large)
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t changed = compose_slice(batch, static_cast<std::size_t>(i));
    changed_slices += changed > 0;
    changed_pixels += changed;
    large += static_cast<double>(changed) > largest_hole * static_cast<double>(n);
  }
  t.slices += count;
  t.changed_slices += changed_slices;
  t.changed_pixels += changed_pixels;
  t.pixels += count * static_cast<std::int64_t>(n);
  t.large += large;
}

std::int64_t SliceInpainter::compose_slice(InpaintBatch& batch, std::size_t slice) const {
  const std::size_t n = batch.size.pixels(), element = bytes_of(batch.type), first = slice * n;
  const auto of = [&](auto& values) {
    return std::span(values).subspan(values.empty() ? 0 : first, values.empty() ? 0 : n);
  };
  const std::span<std::uint8_t> map = of(batch.change);
  const std::span<const std::uint8_t> mask = of(batch.masks);
  const char* original = batch.slices.data() + first * element;
  char* result = batch.result.data() + first * element;
  unscale(of(batch.out).data(), n, batch.ranges[slice], batch.type, result);
  switch (composite_) {
    case Composite::automatic: {
      const ChangeMapOptions options{.threshold = threshold_};
      std::ranges::copy(change_map(smoothed_difference(of(batch.in), of(batch.out), batch.size), batch.size, options),
                        map.begin());
      if (!mask.empty()) restrict_to_mask(map, mask);
      break;
    }
    case Composite::mask:
      std::ranges::copy(mask, map.begin());
      break;
    case Composite::none:
      for (std::size_t p = 0; p < n; ++p)
        map[p] = std::memcmp(original + p * element, result + p * element, element) != 0;
      break;
  }
  for (std::size_t p = 0; p < n; ++p)
    if (!map[p]) std::memcpy(result + p * element, original + p * element, element);
  return static_cast<std::int64_t>(std::ranges::count_if(map, [](std::uint8_t m) { return m != 0; }));
}

}  // namespace ipa
