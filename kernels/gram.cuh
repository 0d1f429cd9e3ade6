// Device code of gram.h. One kernel adds up D = X'X - T'T over a part of the pixels of an image in a 64 x 64 tile, one
// adds the parts and mirrors the tile, one adds the squares to the loss; one makes the gradient's right factor.
//
// Pixels of X and T alternate in the rows of shared memory: x0, t0, x1, t1, ... For the tensor cores a row is a step of
// the sum over k, and two neighbouring steps are the halves of one word, so that flipping a word's upper sign makes
// x_i x_j - t_i t_j of one mma: what cancels, cancels within it, before anything is rounded to the accumulator. In fp32
// each such difference is computed to its last bit. Without a target its rows are 0.
#pragma once

#include <cmath>

#include "kernels/gram_sizes.h"
#include "kernels/numbers8.cuh"

namespace ipa {

constexpr int gram_threads = 128;  // four warps of 32 x 32 each

struct GramTile {
  int row, column;  // in tiles; row <= column

  __device__ GramTile(int index, int side) : row(0) {
    while (index >= side - row) index -= side - row++;
    column = row + index;
  }
};

// What a block holds of 64 channels: `rows` rows, at a stride at which eight rows lie in different banks.
template <class T>
struct GramPanel {
  static constexpr int rows = sizeof(T) == 2 ? 64 : 32, stride = gram_tile + 16 / static_cast<int>(sizeof(T)),
                       chunk = 16 / static_cast<int>(sizeof(T)),  // elements of 16 bytes
      elements = rows * stride;

  // Starts the copies of pixels [first, last) of both images from channel `channel` on; zeros where there are none,
  // also behind the pitch, where the last pixel's would lie behind the tensor.
  static __device__ __forceinline__ void load(T* panel, const T* x, const T* target, std::int64_t first,
                                              std::int64_t last, int channel, int pitch) {
    for (int i = static_cast<int>(threadIdx.x); i < rows * gram_tile / chunk; i += gram_threads) {
      const int row = i / (gram_tile / chunk), c = i % (gram_tile / chunk) * chunk;
      const std::int64_t pixel = first + row / 2;
      const T* from = row % 2 == 0 ? x : target;
      T* to = panel + row * stride + c;
      if (from && pixel < last && channel + c < pitch)
        copy_async16(to, from + pixel * pitch + channel + c);
      else
        store_vector(to, Vector16{});
    }
  }
};

// A thread's elements of its warp's 32 x 32 numbers, in the order of mma: sum[m][n][e] is that of row(m, e) and
// column(n, e) of the tile.
struct GramSums {
  float sum[2][4][4] = {};
  int warp_row, warp_column, g, t;

  __device__ GramSums()
      : warp_row(static_cast<int>(threadIdx.x) / 64 * 32),
        warp_column(static_cast<int>(threadIdx.x) / 32 % 2 * 32),
        g(static_cast<int>(threadIdx.x) % 32 / 4),
        t(static_cast<int>(threadIdx.x) % 4) {}
  __device__ int row(int m, int e) const { return warp_row + 16 * m + g + e / 2 * 8; }
  __device__ int column(int n, int e) const { return warp_column + 8 * n + 2 * t + e % 2; }
};

__device__ __forceinline__ void add_panels(GramSums& s, const bf16* a, const bf16* b) {
  using Panel = GramPanel<bf16>;
  const int matrix = static_cast<int>(threadIdx.x) % 32 / 8, r = static_cast<int>(threadIdx.x) % 8;
  // ldmatrix gets the matrices in these places, (k, channel) in units of 8; see gpu.h for the order mma wants.
  const bf16* from_a = a + (matrix / 2 * 8 + r) * Panel::stride + s.warp_row + matrix % 2 * 8;
  const bf16* from_b = b + (matrix % 2 * 8 + r) * Panel::stride + s.warp_column + matrix / 2 * 8;
  for (int k = 0; k < Panel::rows; k += 16) {
    std::uint32_t left[2][4], right[2][4];
    for (int m = 0; m < 2; ++m) {
      ldmatrix_x4_trans(left[m], from_a + k * Panel::stride + 16 * m);
      for (std::uint32_t& word : left[m]) word ^= 0x80000000u;  // minus the target's
      ldmatrix_x4_trans(right[m], from_b + k * Panel::stride + 16 * m);
    }
    for (int m = 0; m < 2; ++m)
      for (int n = 0; n < 4; ++n) {
        const std::uint32_t pair[2] = {right[n / 2][n % 2 * 2], right[n / 2][n % 2 * 2 + 1]};
        mma_m16n8k16(s.sum[m][n], left[m], pair);
      }
  }
}

__device__ __forceinline__ void add_panels(GramSums& s, const float* a, const float* b) {
  constexpr int stride = GramPanel<float>::stride;
  for (int k = 0; k < GramPanel<float>::rows; k += 2, a += 2 * stride, b += 2 * stride) {
    float left[2][4], right[2][8];  // of X and of T: by the warp's row g + 8 r, by column 8 n + 2 t + e
    for (int of = 0; of < 2; ++of) {
      for (int r = 0; r < 4; ++r) left[of][r] = a[of * stride + s.row(r / 2, r % 2 * 2)];
      for (int c = 0; c < 8; ++c) right[of][c] = b[of * stride + s.column(c / 2, c % 2)];
    }
    for (int r = 0; r < 4; ++r)
      for (int c = 0; c < 8; ++c) {
        // x_i x_j - t_i t_j: less the rounded second product and, exactly, what rounding took from it
        const float rounded = left[1][r] * right[1][c], rest = std::fma(left[1][r], right[1][c], -rounded);
        s.sum[r / 2][c / 2][r % 2 * 2 + c % 2] += std::fma(left[0][r], right[0][c], -rounded) - rest;
      }
  }
}

// parts: (images, tiles, splits, 64, 64). Grid (tiles, splits, images); shared memory: two panels, twice.
template <class T>
__global__ void __launch_bounds__(gram_threads, 4)
    gram_parts_kernel(float* parts, const T* x, const T* target, GramSizes sizes) {
  using Panel = GramPanel<T>;
  T* shared = shared_memory<T>();
  const GramTile tile(static_cast<int>(blockIdx.x), sizes.side);
  const bool diagonal = tile.row == tile.column;
  const std::int64_t image = static_cast<std::int64_t>(blockIdx.z) * sizes.pixels * sizes.pitch;
  const std::int64_t begin = blockIdx.y * sizes.split_pixels,
                     end = begin + sizes.split_pixels < sizes.pixels ? begin + sizes.split_pixels : sizes.pixels;
  const T* images[2] = {x + image, target ? target + image : nullptr};

  const auto load = [&](int buffer, std::int64_t first) {
    T* a = shared + 2 * buffer * Panel::elements;
    Panel::load(a, images[0], images[1], first, end, tile.row * gram_tile, sizes.pitch);
    if (!diagonal)
      Panel::load(a + Panel::elements, images[0], images[1], first, end, tile.column * gram_tile, sizes.pitch);
    commit_copies();
  };
  GramSums s;
  constexpr std::int64_t step = Panel::rows / 2;
  load(0, begin);
  int buffer = 0;
  for (std::int64_t first = begin; first < end; first += step, buffer = 1 - buffer) {
    load(1 - buffer, first + step);  // past the end: zeros, which nothing reads
    wait_copies<1>();
    __syncthreads();
    const T* a = shared + 2 * buffer * Panel::elements;
    add_panels(s, a, diagonal ? a : a + Panel::elements);
    __syncthreads();  // before the next load overwrites them
  }

  float* to = parts + ((static_cast<std::int64_t>(blockIdx.z) * sizes.tiles + blockIdx.x) * sizes.splits + blockIdx.y) *
                          gram_tile_elements;
  for (int m = 0; m < 2; ++m)
    for (int n = 0; n < 4; ++n)
      for (int e = 0; e < 4; ++e) to[s.row(m, e) * gram_tile + s.column(n, e)] = s.sum[m][n][e];
}

// difference (images, C, pitch) = scale * (sum of the parts), both triangles; squares[block]: of what the block stands
// for in the whole matrix. Grid (tiles * slabs, images). Shared memory: a slab, and a double for each warp.
static __global__ void __launch_bounds__(gram_threads)
    gram_finish_kernel(float* difference, double* squares, const float* parts, double scale, GramSizes sizes) {
  const int slab = static_cast<int>(blockIdx.x) % gram_slabs, index = static_cast<int>(blockIdx.x) / gram_slabs;
  const GramTile tile(index, sizes.side);
  const int row = static_cast<int>(threadIdx.x) / 16, column = static_cast<int>(threadIdx.x) % 16 * 4;  // of the slab
  const int i = tile.row * gram_tile + slab * gram_slab + row, j = tile.column * gram_tile + column;

  const float* from =
      parts + (static_cast<std::int64_t>(blockIdx.y) * sizes.tiles + index) * sizes.splits * gram_tile_elements +
      (slab * gram_slab + row) * gram_tile + column;
  double total[4] = {};
  for (int part = 0; part < sizes.splits; ++part) {
    const Vector16 raw = load_vector(from + static_cast<std::int64_t>(part) * gram_tile_elements);
    for (int k = 0; k < 4; ++k) total[k] += std::bit_cast<float>(raw.word[k]);
  }

  float* matrix = difference + static_cast<std::int64_t>(blockIdx.y) * sizes.channels * sizes.pitch;
  float* transposed = shared_memory<float>();  // (64, 8)
  double* of_warps = reinterpret_cast<double*>(transposed + gram_slab * gram_tile);
  Vector16 raw;
  double square = 0;
  for (int k = 0; k < 4; ++k) {
    const float v = i < sizes.channels && j + k < sizes.channels ? static_cast<float>(scale * total[k]) : 0.0f;
    raw.word[k] = std::bit_cast<std::uint32_t>(v);
    transposed[(column + k) * gram_slab + row] = v;
    square += static_cast<double>(v) * static_cast<double>(v);
  }
  if (i < sizes.channels && j < sizes.pitch) store_vector(matrix + static_cast<std::int64_t>(i) * sizes.pitch + j, raw);
  for (int mask = 16; mask > 0; mask /= 2) square += shuffle_xor(square, mask);
  if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = square;
  __syncthreads();
  if (tile.row != tile.column && threadIdx.x < gram_tile) {  // a thread takes a column of the slab: eight neighbours
    const int to_row = tile.column * gram_tile + static_cast<int>(threadIdx.x);
    if (to_row < sizes.channels)
      store8(matrix + static_cast<std::int64_t>(to_row) * sizes.pitch + tile.row * gram_tile + slab * gram_slab,
             load8(transposed + threadIdx.x * gram_slab));
  }
  if (threadIdx.x == 0 && squares) {
    double sum = 0;
    for (int w = 0; w < gram_threads / 32; ++w) sum += of_warps[w];
    squares[static_cast<std::int64_t>(blockIdx.y) * gridDim.x + blockIdx.x] = tile.row == tile.column ? sum : 2 * sum;
  }
}

// loss[0] = scale * (sum of the squares). One block; shared memory: a double for each warp.
static __global__ void __launch_bounds__(threads_per_block)
    gram_loss_kernel(float* loss, const double* squares, std::int64_t count, double scale) {
  double sum = 0;
  for (std::int64_t i = first_item(); i < count; i += item_stride()) sum += squares[i];
  for (int mask = 16; mask > 0; mask /= 2) sum += shuffle_xor(sum, mask);
  double* of_warps = shared_memory<double>();
  if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (unsigned w = 1; w < threads_per_block / 32; ++w) sum += of_warps[w];
  loss[0] = static_cast<float>(scale * sum);
}

// factors (images, pitch, pitch) = by scale[0] (d + d'), rounded to T, with zeros as padding; scale may be null: 1.
template <class T>
__global__ void __launch_bounds__(threads_per_block)
    gram_factor_kernel(T* factors, const float* d, const float* scale, float by, GramSizes sizes) {
  const int groups = sizes.pitch / 8;
  const std::int64_t count = sizes.images * sizes.pitch * groups;
  if (scale) by *= scale[0];
  for (std::int64_t item = first_item(); item < count; item += item_stride()) {
    const int j = static_cast<int>(item % groups) * 8, i = static_cast<int>(item / groups % sizes.pitch);
    Numbers8 sum = {};
    if (i < sizes.channels) {
      const float* matrix = d + item / groups / sizes.pitch * sizes.channels * sizes.pitch;
      sum = load8(matrix + static_cast<std::int64_t>(i) * sizes.pitch + j);
      for (int k = 0; k < 8; ++k)
        if (j + k < sizes.channels)
          sum.v[k] = by * (sum.v[k] + matrix[static_cast<std::int64_t>(j + k) * sizes.pitch + i]);
      zero_padding(sum, sizes.channels - j);
    }
    store8(factors + 8 * item, sum);
  }
}

}  // namespace ipa
