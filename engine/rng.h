// Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2,
// 3", SC 2011). Every random thing is a pure function of (seed, use, step, sample, element): nothing hidden to save or
// restore, and the same on any number of threads or ranks. The counter core is constexpr, so a CUDA kernel can call it
// as it is.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

namespace ipa {

struct Philox {
  using Block = std::array<std::uint32_t, 4>;
  std::array<std::uint32_t, 2> key{};

  // 128 random bits for one counter value.
  constexpr Block operator()(Block c) const {
    std::uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; ++round) {
      const std::uint64_t p0 = 0xD2511F53ull * c[0], p1 = 0xCD9E8D57ull * c[2];
      c = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ k0, static_cast<std::uint32_t>(p1),
           static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ k1, static_cast<std::uint32_t>(p0)};
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    return c;
  }
};

// What a number is drawn for; keeps the sequences of different parts apart. Values are stored in no file but decide
// every result, so append only.
enum class RandomUse : std::uint32_t {
  weights = 1,
  data_order = 2,
  flip = 3,
  mask_draw = 4,
  mask_train = 5,  // shapes of the training masks
  mask_test = 6,   // shapes of the test masks
  holdout = 7,     // subjects kept out of training
};

// Uniform in [0, 1), 24 bits.
constexpr float uniform01(std::uint32_t bits) { return static_cast<float>(bits >> 8) * 0x1p-24f; }

// Two independent standard normal numbers (Box and Muller).
inline std::array<float, 2> normal_pair(std::uint32_t a, std::uint32_t b) {
  const float radius = std::sqrt(-2.0f * std::log(1.0f - uniform01(a)));  // 1 - u lies in (0, 1]
  const float angle = 6.283185307179586f * uniform01(b);
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

// The numbers of one (seed, use, step, sample), taken one after the other; element e of it is word e % 4 of the block
// at counter {e / 4, sample, step, use}. `step` wraps at 2^32.
class RandomSequence {
 public:
  constexpr RandomSequence(std::uint64_t seed, RandomUse use, std::uint64_t step, std::uint32_t sample)
      : philox_{{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}},
        counter_{0, sample, static_cast<std::uint32_t>(step), static_cast<std::uint32_t>(use)} {}

  constexpr std::uint32_t bits() {
    if (left_ == 0) {
      block_ = philox_(counter_);
      ++counter_[0];
      left_ = 4;
    }
    --left_;
    const std::uint32_t first = block_[0];  // taken from the front: a GPU keeps what is indexed at run time in memory
    block_ = {block_[1], block_[2], block_[3], first};
    return first;
  }

  constexpr float uniform() { return uniform01(bits()); }
  constexpr float uniform(float low, float high) { return low + (high - low) * uniform(); }

  // Uniform in [0, n), n > 0, without bias (Lemire 2019: multiply, and reject the few words that would favour a
  // result).
  constexpr std::uint32_t below(std::uint32_t n) {
    const std::uint32_t rejected = (0u - n) % n;
    std::uint64_t product = std::uint64_t{bits()} * n;
    while (static_cast<std::uint32_t>(product) < rejected) product = std::uint64_t{bits()} * n;
    return static_cast<std::uint32_t>(product >> 32);
  }

  float normal() {
    const std::uint32_t a = bits(), b = bits();
    return normal_pair(a, b)[0];
  }

 private:
  Philox philox_;
  Philox::Block counter_;
  Philox::Block block_{};
  int left_ = 0;
};

}  // namespace ipa
