#include "kernels/tail.h"

#include "kernels/channel_sums.h"
#include "kernels/tail.cuh"
#include "kernels/tail_gradient.cuh"
#include "kernels/tail_space.h"

namespace ipa::cuda {
namespace {

dim3 blocks_of(const ChannelGrid& grid) {
  return dim3(static_cast<unsigned>(grid.blocks), static_cast<unsigned>(grid.chunks));
}

template <class... P, class... A>
void start(Stream& stream, const ChannelGrid& grid, void (*kernel)(P...), A&&... arguments) {
  launch(stream, blocks_of(grid), ChannelGrid::threads, sums_shared_bytes, kernel, arguments...);
}

// Calls f(storage, inner, number of parts as a type, pixels or windows) for the tails there are.
template <class F>
void with_kind(const Tensor& y, std::size_t parts, Activation inner, bool pooled, F&& f) {
  require(parts == 3 ? inner == no_activation : parts == 1 && inner == relu_activation && !pooled,
          "tail: a branch is three tensors, or one with ReLU that is not pooled");
  with_storage(y, [&](auto* storage) {
    constexpr std::integral_constant<int, 3> three;
    if (parts == 1) return f(storage, Relu{}, std::integral_constant<int, 1>{}, Singles{});
    pooled ? f(storage, Identity{}, three, Windows{static_cast<std::uint32_t>(y.shape.w / 2)})
           : f(storage, Identity{}, three, Singles{});
  });
}

// `y` is also dy.
void check(const Tensor& y, const Tensor& pooled, const Tensor& shortcut, std::span<const Tensor> branch) {
  require(y.spec() == shortcut.spec() && shortcut.own_pitch(), "tail: shapes or types differ");
  require(y.own_pitch() || branch.size() == 1, "tail: only that of one branch lies among other channels");
  require(!pooled.data || (pooled.shape == tail_items(y.shape, true) && pooled.dtype == y.dtype),
          "tail: the pooled output must have half the height and width");
  require(y.shape.pixels() < std::int64_t{1} << 31, "tail: too many pixels");
}

KnownSums known(const Tensor& sums, std::int64_t channels) {
  if (!sums.data) return {nullptr, 0};
  require(sums.shape == channel_sums_shape(channels), "tail: the sums are of another width");
  return {sums.f32(), sums.pitch};
}

// Pass 1: the statistics of shortcut and branch, which reads what has no known sums.
template <class T, int N>
void finish_inner(Stream& stream, const CudaTailSpace& space, const Tensor& shortcut, const Parts<T, N>& branch,
                  const FinishInnerStatistics& statistics) {
  const bool shortcut_known = statistics.of_shortcut.data != nullptr,
             branch_known = statistics.of_branch.data != nullptr;
  if (shortcut_known && branch_known) {
    const std::int64_t pitch = space.sums.pitch();
    const dim3 blocks(static_cast<unsigned>((pitch + ChannelGrid::threads - 1) / ChannelGrid::threads));
    return launch(stream, blocks, ChannelGrid::threads, 0, tail_known_sums_kernel, statistics, pitch);
  }
  if (!shortcut_known && !branch_known) {
    start(stream, space.sums, tail_moments_kernel<T, N>, space.parts, data_of<T>(shortcut), branch, space.sums);
    return finish_sums<4>(stream, space.parts, space.sums, statistics);
  }
  shortcut_known ? start(stream, space.sums, tail_branch_moments_kernel<T, N>, space.parts, branch, space.sums)
                 : start(stream, space.sums, moments_kernel<T>, space.parts, data_of<T>(shortcut), space.sums);
  finish_sums<2>(stream, space.parts, space.sums, statistics);
}

}  // namespace

void tail_forward(Stream& stream, Tensor y, Tensor pooled, Tensor statistics, Tensor shortcut,
                  std::span<const Tensor> branch, const TailNorms& norms, const TailSums& sums, Activation inner,
                  void* workspace) {
  check(y, pooled, shortcut, branch);
  const CudaTailSpace space(workspace, y.shape);
  auto row = [&](std::int64_t k) { return tail_statistics_row(statistics, k); };
  const FinishInnerStatistics of_inner{{row(0), row(1), norms.shortcut, y.shape, space.shortcut},
                                       {row(2), row(3), norms.branch, y.shape, space.branch},
                                       known(sums.shortcut, y.shape.c),
                                       known(sums.branch, y.shape.c)};
  const ChannelStatistics of_out(row(4), row(5), norms.out, y.shape, space.out);
  const NormVectors shortcut_norm(norms.shortcut, row(0), row(1)), branch_norm(norms.branch, row(2), row(3)),
      out_norm(norms.out, row(4), row(5));
  with_kind(y, branch.size(), inner, pooled.data != nullptr,
            [&]<class T, class F, int N, class W>(T*, F f, std::integral_constant<int, N>, W pixels) {
              const Parts<T, N> parts(branch, y);
              const ChannelGrid map = ChannelGrid::for_map(tail_items(y.shape, W::count > 1));
              finish_inner<T>(stream, space, shortcut, parts, of_inner);
              start(stream, space.sums, tail_inner_kernel<T, F, N>, space.parts, data_of<T>(y), y.pitch,
                    data_of<T>(shortcut), parts, shortcut_norm, branch_norm, of_inner, space.sums, f);
              finish_sums<2>(stream, space.parts, space.sums, FinishStatistics{of_out});
              start(stream, map, tail_out_kernel<T, W>, data_of<T>(y), y.pitch, data_of<T>(pooled), out_norm, of_out,
                    map, pixels);
            });
}

void tail_recompute(Stream& stream, Tensor y, Tensor statistics, Tensor shortcut, std::span<const Tensor> branch,
                    const TailNorms& norms, Activation inner, void*) {
  check(y, {}, shortcut, branch);
  require(y.own_pitch(), "tail: recomputed among other channels");
  auto row = [&](std::int64_t k) { return tail_statistics_row(statistics, k); };
  with_kind(y, branch.size(), inner, false,
            [&]<class T, class F, int N>(T*, F f, std::integral_constant<int, N>, auto) {
              const ChannelGrid map = ChannelGrid::for_map(y.shape);
              launch(stream, blocks_of(map), ChannelGrid::threads, 0, tail_recompute_kernel<T, F, N>, data_of<T>(y),
                     data_of<T>(shortcut), Parts<T, N>(branch, y), NormVectors(norms.shortcut, row(0), row(1)),
                     NormVectors(norms.branch, row(2), row(3)), NormVectors(norms.out, row(4), row(5)), map, f);
            });
}

void tail_backward(Stream& stream, Tensor dshortcut, std::span<const Tensor> dbranch, const TailParameterGradients& d,
                   const TailOutputGradients& from, Tensor statistics, Tensor shortcut, std::span<const Tensor> branch,
                   const TailNorms& norms, Activation inner, void* workspace) {
  const Tensor& dy = from.dy;
  const bool pooled = from.dpooled.data != nullptr;
  check(dy, from.dpooled, shortcut, branch);
  require(dshortcut.spec() == dy.spec(), "tail: shapes or types differ");
  const CudaTailGradientSpace space(workspace, dy.shape, pooled);
  const ChannelGrid map = ChannelGrid::for_map(tail_items(dy.shape, pooled));
  require(map.chunks == 1 || branch.size() == 1, "tail: too many channels to write side by side");
  auto row = [&](std::int64_t k) { return tail_statistics_row(statistics, k); };
  const NormVectors of_shortcut(norms.shortcut, row(0), row(1)), of_branch(norms.branch, row(2), row(3)),
      of_out(norms.out, row(4), row(5));
  auto finish = [&](const Tensor& dgamma, const Tensor& dbeta, const NormVectors& norm, float* coefficients) {
    const auto pixels = static_cast<double>(dy.shape.pixels());
    return FinishTailGradient{{dgamma.f32(), dbeta.f32(), norm.invstd}, norm, coefficients, map.pitch(), pixels};
  };
  const FinishTailGradient finish_out = finish(d.dgamma_out, d.dbeta_out, of_out, space.out),
                           finish_shortcut = finish(d.dgamma_shortcut, d.dbeta_shortcut, of_shortcut, space.shortcut),
                           finish_branch = finish(d.dgamma_branch, d.dbeta_branch, of_branch, space.branch);
  with_kind(dy, branch.size(), inner, pooled,
            [&]<class T, class F, int N, class W>(T*, F f, std::integral_constant<int, N>, W pixels) {
              const TailGradientSource<T> source{data_of<T>(dy), data_of<T>(from.dpooled), dy.pitch, space.winners};
              const TailOperands<T, F, N, W> of{
                  source, data_of<T>(shortcut), Parts<T, N>(branch, dy), of_shortcut, of_branch, space.out, pixels, f};
              start(stream, space.out_sums, tail_out_sums_kernel<T, F, N, W>, space.parts, of, of_out, space.out_sums);
              finish_sums<2>(stream, space.parts, space.out_sums, finish_out);
              start(stream, space.inner_sums, tail_inner_sums_kernel<T, F, N, W>, space.parts, of, space.inner_sums);
              finish_sums<tail_inner_sums<F>>(
                  stream, space.parts, space.inner_sums,
                  FinishInnerGradients<F>{finish_shortcut, finish_branch, space.out + 2 * map.pitch()});
              launch(stream, blocks_of(map), ChannelGrid::threads, N == 1 ? 0 : tail_gradient_shared_bytes<T>(map),
                     tail_gradient_kernel<T, F, N, W>, data_of<T>(dshortcut), Parts<T, N>(dbranch, dy), of,
                     space.shortcut, space.branch, map);
            });
}

void tail_folded(Stream& stream, Tensor y, Tensor pooled, Tensor shortcut, std::span<const Tensor> branch,
                 Tensor scale_branch, Tensor scale_out, Tensor shift_out, Activation inner, void*) {
  check(y, pooled, shortcut, branch);
  with_kind(y, branch.size(), inner, pooled.data != nullptr,
            [&]<class T, class F, int N, class W>(T*, F f, std::integral_constant<int, N>, W pixels) {
              const ChannelGrid map = ChannelGrid::for_map(tail_items(y.shape, W::count > 1));
              launch(stream, blocks_of(map), ChannelGrid::threads, 0, tail_folded_kernel<T, F, N, W>, data_of<T>(y),
                     y.pitch, data_of<T>(pooled), data_of<T>(shortcut), Parts<T, N>(branch, y),
                     scale_branch.data ? scale_branch.f32() : nullptr, scale_out.f32(), shift_out.f32(), map, pixels,
                     f);
            });
}

}  // namespace ipa::cuda
