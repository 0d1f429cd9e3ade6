#include "kernels/concat.h"

#include "engine/on_device.h"
#include "kernels/copy_run.h"
#include "kernels/parallel.h"

namespace ipa {
namespace {

void concat_channels_cpu(const Tensor& y, std::span<const Tensor> parts) {
  std::int64_t channels = 0;
  for (const Tensor& p : parts) {
    require(p.packed() && p.shape.pixels() == y.shape.pixels(), "concat: shapes differ");
    channels += p.shape.c;
  }
  require(y.packed() && channels == y.shape.c, "concat: the channels do not add up");
  parallel_blocks(y.shape.pixels(), reduction_rows(channels), [&](std::int64_t, std::int64_t first, std::int64_t last) {
    for (std::int64_t row = first; row < last; ++row) {
      float* to = y.f32() + row * channels;
      for (const Tensor& p : parts) {
        copy_run(to, p.f32() + row * p.shape.c, p.shape.c);
        to += p.shape.c;
      }
    }
  });
}

void slice_channels_forward_cpu(const Tensor& y, const Tensor& x, std::int64_t first_channel) {
  const std::int64_t wide = x.shape.c, channels = y.shape.c;
  require(y.packed() && x.packed() && first_channel + channels <= wide, "slice_channels: no such channels");
  parallel_blocks(x.shape.pixels(), reduction_rows(channels),
                  [=, px = x.f32(), py = y.f32()](std::int64_t, std::int64_t first, std::int64_t last) {
                    for (std::int64_t row = first; row < last; ++row)
                      copy_run(py + row * channels, px + row * wide + first_channel, channels);
                  });
}

void slice_channels_backward_cpu(const Tensor& dx, const Tensor& dy, std::int64_t first_channel) {
  const std::int64_t wide = dx.shape.c, channels = dy.shape.c;
  require(dy.packed() && dx.packed() && first_channel + channels <= wide, "slice_channels: no such channels");
  parallel_blocks(dx.shape.pixels(), reduction_rows(wide),
                  [=, pdx = dx.f32(), pdy = dy.f32()](std::int64_t, std::int64_t first, std::int64_t last) {
                    for (std::int64_t row = first; row < last; ++row) {
                      float* to = pdx + row * wide;
                      std::fill(to, to + first_channel, 0.0f);
                      copy_run(to + first_channel, pdy + row * channels, channels);
                      std::fill(to + first_channel + channels, to + wide, 0.0f);
                    }
                  });
}

}  // namespace

void concat_channels(Stream& stream, Tensor y, std::span<const Tensor> parts) {
  on_device(
      stream, [&] { concat_channels_cpu(y, parts); }, [&] { cuda::concat_channels(stream, y, parts); });
}

void slice_channels_forward(Stream& stream, Tensor y, Tensor x, std::int64_t first) {
  on_device(
      stream, [&] { slice_channels_forward_cpu(y, x, first); },
      [&] { cuda::slice_channels_forward(stream, y, x, first); });
}

void slice_channels_backward(Stream& stream, Tensor dx, Tensor dy, std::int64_t first) {
  on_device(
      stream, [&] { slice_channels_backward_cpu(dx, dy, first); },
      [&] { cuda::slice_channels_backward(stream, dx, dy, first); });
}

}  // namespace ipa
