#include "kernels/concat.h"

#include "kernels/concat.cuh"

namespace ipa::cuda {
namespace {

void require_slice(const Tensor& wide, const Tensor& part, std::int64_t first) {
  const Shape& s = wide.shape;
  require(part.shape == Shape{s.n, s.h, s.w, part.shape.c} && first >= 0 && first + part.shape.c <= s.c &&
              part.dtype == wide.dtype,
          "slice_channels: no such channels, or another type");
}

}  // namespace

void concat_channels(Stream& stream, Tensor y, std::span<const Tensor> parts) {
  require(parts.size() <= most_parts, "concat: too many parts for one launch");
  const Groups groups(y);
  with_storage(y, [&]<class T>(T*) {
    ConcatParts<T> list;
    for (const Tensor& p : parts) {
      require(p.shape.pixels() == y.shape.pixels() && p.dtype == y.dtype, "concat: shapes or types differ");
      list.add(p);
    }
    require(list.first[list.count] == y.shape.c, "concat: the channels do not add up");
    launch(stream, blocks_for(groups.count), threads_per_block, 0, concat_kernel<T>, data_of<T>(y), list, groups);
  });
}

void slice_channels_forward(Stream& stream, Tensor y, Tensor x, std::int64_t first) {
  require_slice(x, y, first);
  const Groups groups(y);
  with_storage(y, [&]<class T>(T*) {
    launch(stream, blocks_for(groups.count), threads_per_block, 0, slice_kernel<T>, data_of<T>(y), data_of<T>(x),
           x.pitch, first, groups);
  });
}

void slice_channels_backward(Stream& stream, Tensor dx, Tensor dy, std::int64_t first) {
  require_slice(dx, dy, first);
  const Groups groups(dx);
  with_storage(dx, [&]<class T>(T*) {
    launch(stream, blocks_for(groups.count), threads_per_block, 0, slice_gradient_kernel<T>, data_of<T>(dx),
           data_of<T>(dy), dy.pitch, first, dy.shape.c, groups);
  });
}

}  // namespace ipa::cuda
