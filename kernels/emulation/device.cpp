#include "kernels/emulation/device.h"

#include "engine/error.h"
#include "kernels/emulation/block.h"
#include "kernels/emulation/controls.h"

namespace ipa::emulation {

void sync_threads(const Site& site) {
  if (!detail::skips(site)) Block::current().sync_threads(site);
}

void sync_warp(const Site& site) {
  if (!detail::skips(site)) Block::current().sync_warp(site);
}

const std::byte* exchange_bytes(const void* value, std::size_t bytes, const Site& site) {
  return Block::current().exchange(value, bytes, site);
}

void check_full_mask(unsigned mask, const Site& site) {
  if (mask != 0xffffffffu) fail(ErrorKind::internal, "a warp collective of some lanes only", to_string(site));
}

unsigned lane() { return Block::current().lane(); }

}  // namespace ipa::emulation
