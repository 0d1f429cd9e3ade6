#include "kernels/bias.h"

#include "engine/on_device.h"
#include "kernels/channel_grid.h"
#include "kernels/reduce.h"

namespace ipa {
namespace {

void add_bias_forward_cpu(Tensor y, Tensor x, Tensor bias) {
  require(x.shape == y.shape && bias.shape.c == x.shape.c, "add_bias: shapes differ");
  const std::int64_t channels = x.shape.c;
  float* py = y.f32();
  const float *px = x.f32(), *pb = bias.f32();
  parallel_blocks(x.shape.pixels(), reduction_rows(channels), [=](std::int64_t, std::int64_t first, std::int64_t last) {
    for (std::int64_t p = first; p < last; ++p) {
      float* row = py + p * y.pitch;
      const float* from = px + p * x.pitch;
#pragma omp simd
      for (std::int64_t c = 0; c < channels; ++c) row[c] = from[c] + pb[c];
    }
  });
}

void sum_over_pixels_cpu(Tensor sum, Tensor x, void* workspace) {
  require(sum.shape == vector_shape(x.shape.c), "sum_pixels: shapes differ");
  const std::int64_t channels = x.shape.c, pitch = x.pitch, blocks = reduction_blocks(x.shape.pixels(), channels);
  const float* px = x.f32();
  if (channels == 1) {  // a loop over one channel would not vectorise; the workspace is at least as large
    auto pixel = [=](std::int64_t i) { return px[i * pitch]; };
    sum.f32()[0] = static_cast<float>(ordered_sum(x.elements(), workspace, pixel));
    return;
  }
  double* partial = static_cast<double*>(workspace);  // (blocks, channels)
  parallel_blocks(x.shape.pixels(), reduction_rows(channels),
                  [=](std::int64_t b, std::int64_t first, std::int64_t last) {
                    double* to = partial + b * channels;
                    std::fill(to, to + channels, 0.0);
                    for (std::int64_t p = first; p < last; ++p) {
                      const float* row = px + p * pitch;
#pragma omp simd
                      for (std::int64_t c = 0; c < channels; ++c) to[c] += static_cast<double>(row[c]);
                    }
                  });
  for (std::int64_t c = 0; c < channels; ++c) {
    double total = 0;
    for (std::int64_t b = 0; b < blocks; ++b) total += partial[b * channels + c];
    sum.f32()[c] = static_cast<float>(total);
  }
}

}  // namespace

std::size_t sum_over_pixels_workspace_bytes(Device device, const Shape& x) {
  const std::int64_t numbers =
      device.is_cpu() ? reduction_blocks(x.pixels(), x.c) * x.c : ChannelGrid::for_sums(x).partial_sums(1);
  return static_cast<std::size_t>(numbers) * sizeof(double);
}

void add_bias_forward(Stream& stream, Tensor y, Tensor x, Tensor bias) {
  on_device(
      stream, [&] { add_bias_forward_cpu(y, x, bias); }, [&] { cuda::add_bias_forward(stream, y, x, bias); });
}

void sum_over_pixels(Stream& stream, Tensor sum, Tensor x, void* workspace) {
  on_device(
      stream, [&] { sum_over_pixels_cpu(sum, x, workspace); },
      [&] { cuda::sum_over_pixels(stream, sum, x, workspace); });
}

}  // namespace ipa
