#include "kernels/cast.h"

#include "engine/on_device.h"
#include "kernels/parallel.h"

namespace ipa {
namespace {

void copy(const Tensor& to, const Tensor& from) {
  require(to.packed() && from.packed() && to.elements() == from.elements(), "cast: sizes differ");
  float* out = to.f32();
  const float* in = from.f32();
  parallel_range(to.elements(),
                 [=](std::int64_t first, std::int64_t last) { std::copy(in + first, in + last, out + first); });
}

}  // namespace

void cast_tensor(Stream& stream, Tensor y, Tensor x) {
  on_device(
      stream, [&] { copy(y, x); }, [&] { cuda::cast_tensor(stream, y, x); });
}

void image_from_rows(Stream& stream, Tensor image, Tensor rows) {
  on_device(
      stream, [&] { copy(image, rows); }, [&] { cuda::image_from_rows(stream, image, rows); });
}

void rows_from_image(Stream& stream, Tensor rows, Tensor image) {
  on_device(
      stream, [&] { copy(rows, image); }, [&] { cuda::rows_from_image(stream, rows, image); });
}

}  // namespace ipa
