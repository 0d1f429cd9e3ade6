#include "bench/fill.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <vector>

#include "engine/transfer.h"

namespace ipa::bench {

void fill_with_numbers(const Tensor& t, float low, float high, unsigned seed) {
  if (t.dtype != DType::f32 && t.dtype != DType::bf16) return;
  const std::size_t row = static_cast<std::size_t>(t.pitch) * size_of(t.dtype);
  const std::int64_t rows = std::min(t.shape.pixels(), std::max<std::int64_t>(1, (std::int64_t{1} << 20) / t.pitch));
  std::vector<std::byte> block(static_cast<std::size_t>(rows) * row);
  std::minstd_rand random(seed);
  std::uniform_real_distribution<float> uniform(low, high);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < t.shape.c; ++c) {
      const float value = uniform(random);
      std::byte* const to =
          block.data() + static_cast<std::size_t>(r) * row + static_cast<std::size_t>(c) * size_of(t.dtype);
      if (t.dtype == DType::f32)
        std::memcpy(to, &value, sizeof value);
      else
        std::memcpy(to, std::array{to_bf16(value)}.data(), sizeof(bf16));
    }
  for (std::int64_t done = 0; done < t.shape.pixels(); done += rows)
    copy_to_device(block.data(), static_cast<std::size_t>(std::min(rows, t.shape.pixels() - done)) * row,
                   static_cast<std::byte*>(t.data) + static_cast<std::size_t>(done) * row, t.device);
}

}  // namespace ipa::bench
