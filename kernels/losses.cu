#include "kernels/losses.h"

#include "kernels/losses.cuh"

namespace ipa::cuda {
namespace {

constexpr unsigned warp = 32;

// Calls f(first, last) for ranges of at most most_jobs.
template <class F>
void in_lists(std::size_t count, F&& f) {
  constexpr auto step = static_cast<std::size_t>(most_jobs);
  for (std::size_t first = 0; first < count; first += step) f(first, std::min(count, first + step));
}

// The groups of one image of x.
Groups groups_of_image(const Tensor& x) {
  return Groups(Tensor(nullptr, {{1, x.shape.h, x.shape.w, x.shape.c}, x.dtype}, x.device));
}

void require_masked(const Tensor& a, const Tensor& b, const Tensor& mask) {
  const Shape& s = a.shape;
  require(a.spec() == b.spec() && mask.spec() == TensorSpec{{s.n, s.h, s.w, 1}, a.dtype},
          "masked l1: shapes or types differ");
}

}  // namespace

void bce_with_logits_forward(Stream& stream, Tensor loss, Tensor z, float target, void* workspace) {
  with_storage(z, [&]<class T>(T*) {
    JobList<ScalarSum<BceTerm<T>>> list;
    add_sum(list, z, BceTerm<T>{data_of<T>(z), Groups(z), {target}}, loss, 1 / static_cast<double>(z.elements()));
    launch_sums(stream, list, workspace);
  });
}

void bce_with_logits_backward(Stream& stream, Tensor dz, Tensor z, Tensor dloss, float target) {
  require(dz.spec() == z.spec(), "bce: shapes or types differ");
  const Groups groups(z);
  with_storage(z, [&]<class T>(T*) {
    launch(stream, blocks_for(groups.count), threads_per_block, 0, bce_gradient_kernel<T>, data_of<T>(dz),
           data_of<T>(z), dloss.f32(), static_cast<float>(z.elements()), groups, BceWithLogits{target});
  });
}

void l1_forward(Stream& stream, std::span<const Tensor> losses, std::span<const Tensor> a, std::span<const Tensor> b,
                void* workspace) {
  with_storage(a[0], [&]<class T>(T*) {
    in_lists(a.size(), [&](std::size_t first, std::size_t last) {
      JobList<ScalarSum<L1Term<T>>> list;
      for (std::size_t k = first; k < last; ++k) {
        require(a[k].spec() == b[k].spec() && a[k].dtype == a[0].dtype, "l1: shapes or types differ");
        add_sum(list, a[k], L1Term<T>{data_of<T>(a[k]), data_of<T>(b[k])}, losses[k],
                1 / static_cast<double>(a[k].elements()));
      }
      launch_sums(stream, list, workspace);
    });
  });
}

void l1_backward(Stream& stream, std::span<const Tensor> da, std::span<const Tensor> a, std::span<const Tensor> b,
                 std::span<const Tensor> dlosses) {
  with_storage(a[0], [&]<class T>(T*) {
    in_lists(a.size(), [&](std::size_t first, std::size_t last) {
      JobList<L1Gradient<T>> list;
      for (std::size_t k = first; k < last; ++k) {
        require(a[k].spec() == b[k].spec() && a[k].spec() == da[k].spec() && a[k].dtype == a[0].dtype,
                "l1: shapes or types differ");
        const std::int64_t groups = groups_of_eight(a[k].shape);
        list.add({data_of<T>(da[k]), data_of<T>(a[k]), data_of<T>(b[k]), dlosses[k].f32(),
                  static_cast<float>(a[k].elements())},
                 groups, blocks_for(groups).x);
      }
      launch(stream, list.blocks(), threads_per_block, 0, l1_gradient_kernel<T>, list);
    });
  });
}

void masked_l1_forward(Stream& stream, Tensor loss, Tensor share, Tensor a, Tensor b, Tensor mask, void* workspace) {
  require_masked(a, b, mask);
  const Groups image = groups_of_image(a);
  const auto blocks = static_cast<unsigned>(sum_blocks(image.count)), images = static_cast<unsigned>(a.shape.n);
  auto* partial = static_cast<double*>(workspace);
  with_storage(a, [&]<class T>(T*) {
    launch(stream, dim3(blocks, images), threads_per_block, 2 * block_sum_bytes, masked_l1_partial_kernel<T>, partial,
           data_of<T>(a), data_of<T>(b), data_of<T>(mask), image);
  });
  launch(stream, 1, threads_per_block, block_sum_bytes, masked_l1_finish_kernel, loss.f32(), share.f32(), partial,
         static_cast<int>(blocks), static_cast<int>(images), static_cast<double>(a.shape.c));
}

void masked_l1_backward(Stream& stream, Tensor da, Tensor a, Tensor b, Tensor mask, Tensor share, Tensor dloss) {
  require_masked(a, b, mask);
  require(da.spec() == a.spec(), "masked l1: shapes or types differ");
  const Groups image = groups_of_image(a);
  with_storage(a, [&]<class T>(T*) {
    launch(stream, dim3(blocks_for(image.count).x, static_cast<unsigned>(a.shape.n)), threads_per_block, 0,
           masked_l1_gradient_kernel<T>, data_of<T>(da), data_of<T>(a), data_of<T>(b), data_of<T>(mask), share.f32(),
           dloss.f32(), image);
  });
}

void weighted_sum_forward(Stream& stream, Tensor sum, std::span<const Tensor> terms, Tensor weights) {
  launch(stream, 1, warp, 0, weighted_sum_kernel, sum.f32(), ScalarList(terms), weights.f32());
}

void weighted_sum_backward(Stream& stream, std::span<const Tensor> dterms, Tensor weights, Tensor dsum) {
  launch(stream, 1, warp, 0, weighted_sum_gradient_kernel, ScalarList(dterms), weights.f32(), dsum.f32());
}

void vgg_input_forward(Stream& stream, Tensor y, Tensor x) {
  const std::int64_t pixels = x.shape.pixels();
  with_storage(x, [&]<class T>(T*) {
    launch(stream, blocks_for(pixels), threads_per_block, 0, vgg_input_kernel<T>, data_of<T>(y), data_of<T>(x), pixels);
  });
}

void vgg_input_backward(Stream& stream, Tensor dx, Tensor dy) {
  const std::int64_t pixels = dy.shape.pixels();
  with_storage(dy, [&]<class T>(T*) {
    launch(stream, blocks_for(pixels), threads_per_block, 0, vgg_input_gradient_kernel<T>, data_of<T>(dx),
           data_of<T>(dy), pixels);
  });
}

}  // namespace ipa::cuda
