#include "kernels/channel_sums.h"

#include "engine/on_device.h"
#include "kernels/channel_grid.h"
#include "kernels/channel_stats.h"

namespace ipa {
namespace {

void channel_sums_cpu(Tensor sums, Tensor x, void* workspace) {
  require(x.packed() && sums.packed() && sums.shape == channel_sums_shape(x.shape.c), "channel_sums: shapes differ");
  const std::int64_t rows = x.shape.pixels(), channels = x.shape.c;
  const Lanes l(channels);
  const float* px = x.f32();
  auto* const parts = static_cast<double*>(workspace);  // (blocks, 2, C)
  parallel_blocks(rows, reduction_rows(channels), [=](std::int64_t b, std::int64_t first, std::int64_t last) {
    block_sums<2>(parts + b * 2 * channels, l, first, last,
                  [=](std::int64_t at, std::int64_t, std::int64_t count, LaneSums<2>& s) {
#pragma omp simd
                    for (std::int64_t i = 0; i < count; ++i) {
                      const double v = px[at + i];
                      s.of[0][i] += v;
                      s.of[1][i] += v * v;
                    }
                  });
  });
  add_blocks(parts, reduction_blocks(rows, channels), 2 * channels);
  for (std::int64_t i = 0; i < 2 * channels; ++i) sums.f32()[i] = static_cast<float>(parts[i]);
}

}  // namespace

std::size_t channel_sums_workspace_bytes(Device device, const Shape& x) {
  const std::int64_t numbers =
      device.is_cpu() ? reduction_blocks(x.pixels(), x.c) * 2 * x.c : ChannelGrid::for_sums(x).partial_sums(2);
  return static_cast<std::size_t>(numbers) * sizeof(double);
}

void channel_sums(Stream& stream, Tensor sums, Tensor x, void* workspace) {
  on_device(
      stream, [&] { channel_sums_cpu(sums, x, workspace); }, [&] { cuda::channel_sums(stream, sums, x, workspace); });
}

}  // namespace ipa
