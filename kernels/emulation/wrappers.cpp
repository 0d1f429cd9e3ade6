// gpu.h's fragment and copy wrappers: the layouts are written down there.
#include <array>

#include "engine/error.h"
#include "kernels/emulation/block.h"
#include "kernels/gpu.h"

namespace ipa {
namespace emulation {

std::byte* shared_bytes() { return Block::current().shared().data(); }

void check_aligned16(const void* p, const Site& site) {
  if (reinterpret_cast<std::uintptr_t>(p) % 16 != 0)
    fail(ErrorKind::internal, "a 16-byte access at an address that is no multiple of 16", to_string(site));
}

void wait_copies(std::size_t still_under_way) { Block::current().copies().wait(still_under_way); }

namespace {

void check_shared(const void* p, const Site& site) {
  check_aligned16(p, site);
  if (!Block::current().shared().contains(p, 16))
    fail(ErrorKind::internal, "an address outside the shared memory", to_string(site));
}

std::uint16_t half(std::uint32_t word, unsigned upper) { return static_cast<std::uint16_t>(word >> 16 * upper); }

// word[i] gets the elements (row, column) and (row, column + 1) of matrix i, or the same with both exchanged.
void load_matrices(std::uint32_t (&word)[4], const void* row, bool transposed, const Site& site) {
  check_shared(row, site);
  std::array<std::uint16_t, 8> own;
  std::memcpy(own.data(), row, sizeof own);
  const auto rows = all_lanes(own, site);
  const unsigned g = lane() / 4, t = lane() % 4;
  for (unsigned i = 0; i < 4; ++i) {
    const auto element = [&](unsigned r, unsigned c) -> std::uint32_t { return rows[8 * i + r][c]; };
    word[i] =
        transposed ? element(2 * t, g) | element(2 * t + 1, g) << 16 : element(g, 2 * t) | element(g, 2 * t + 1) << 16;
  }
}

}  // namespace
}  // namespace emulation

using emulation::half;

void mma_m16n8k16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2], Site site) {
  struct Fragments {
    std::uint32_t a[4], b[2];
  };
  const auto lanes = emulation::all_lanes(Fragments{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}}, site);
  const unsigned g = emulation::lane() / 4, t = emulation::lane() % 4;
  for (unsigned row = 0; row < 2; ++row) {             // g or g + 8
    for (unsigned column = 0; column < 2; ++column) {  // 2t or 2t + 1
      double sum = 0;
      for (unsigned pair = 0; pair < 8; ++pair) {  // k = 2 pair and 2 pair + 1, held by the lanes with t = pair % 4
        const std::uint32_t x = lanes[4 * g + pair % 4].a[row + pair / 4 * 2];
        const std::uint32_t y = lanes[4 * (2 * t + column) + pair % 4].b[pair / 4];
        for (unsigned k = 0; k < 2; ++k) sum += double{to_float(bf16{half(x, k)})} * to_float(bf16{half(y, k)});
      }
      d[2 * row + column] = static_cast<float>(d[2 * row + column] + sum);
    }
  }
}

void ldmatrix_x4(std::uint32_t (&word)[4], const void* row, Site site) {
  emulation::load_matrices(word, row, false, site);
}

void ldmatrix_x4_trans(std::uint32_t (&word)[4], const void* row, Site site) {
  emulation::load_matrices(word, row, true, site);
}

void copy_async16(void* to_shared, const void* from, Site site) {
  emulation::check_shared(to_shared, site);
  emulation::check_aligned16(from, site);
  emulation::Block::current().copies().add(to_shared, from);
}

void commit_copies() { emulation::Block::current().copies().commit(); }

}  // namespace ipa
