// What finite differences cannot say of max_pool2: where the gradient of a tie goes, and what a NaN does. For any
// device and storage type.
#pragma once

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/buffer.h"
#include "engine/transfer.h"
#include "kernels/resample.h"

namespace ipa::test {

// y and the gradient of <y, dy>; with `in_place` the gradient is written over x.
struct Pooled {
  std::vector<float> y, dx;
};
inline Pooled pool(const Shape& s, const std::vector<float>& x, const std::vector<float>& dy, Device device,
                   DType dtype, bool in_place = false) {
  const TensorSpec wide{s, dtype}, narrow{{s.n, s.h / 2, s.w / 2, s.c}, dtype};
  auto make = [&](const TensorSpec& spec) { return Buffer("test", bytes_on(device, spec), device); };
  const Buffer bx = make(wide), bdx = make(wide), by = make(narrow), bdy = make(narrow);
  const Tensor tx = bx.tensor(wide), tdx = (in_place ? bx : bdx).tensor(wide), ty = by.tensor(narrow);
  from_host(x, tx);
  from_host(dy, bdy.tensor(narrow));
  Stream stream(device);
  max_pool2_forward(stream, ty, tx);
  max_pool2_backward(stream, tdx, bdy.tensor(narrow), tx);
  stream.wait();
  return {to_host(ty), to_host(tdx)};
}

// One window (y0x0, y0x1, y1x0, y1x1) in several equal channels; the gradient is 1.
inline void check_winner(const std::vector<float>& window, std::size_t winner, Device device, DType dtype) {
  for (const std::size_t channels : {1u, 3u, 8u, 17u}) {
    std::vector<float> x;
    for (const float v : window) x.insert(x.end(), channels, v);
    const Pooled p =
        pool({1, 2, 2, static_cast<std::int64_t>(channels)}, x, std::vector<float>(channels, 1), device, dtype);
    for (std::size_t i = 0; i < p.dx.size(); ++i) CHECK(p.dx[i] == (i / channels == winner ? 1.0f : 0.0f));
    for (const float y : p.y) CHECK((y == window[winner] || (std::isnan(y) && std::isnan(window[winner]))));
  }
}

inline void check_max_pool_edges(Device device, DType dtype) {
  constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();
  SECTION("the gradient of a tie goes to the first in row order") {
    check_winner({0, 0, 0, 0}, 0, device, dtype);
    check_winner({-1, 2, 2, 2}, 1, device, dtype);
    check_winner({1, 0, 2, 2}, 2, device, dtype);
    check_winner({2, 1, 0, 2}, 0, device, dtype);
    check_winner({-4, -3, -2, -1}, 3, device, dtype);
  }
  SECTION("a NaN wins, the last of several, as in PyTorch") {
    check_winner({nan_value, 5, 6, 7}, 0, device, dtype);
    check_winner({1, nan_value, 6, 7}, 1, device, dtype);
    check_winner({1, nan_value, 6, nan_value}, 3, device, dtype);
  }
  SECTION("the gradient may be written over the input") {
    CHECK(pool({1, 2, 4, 1}, {1, 2, 3, 0, 5, 4, 7, 7}, {10, 20}, device, dtype, true).dx ==
          std::vector<float>{0, 0, 0, 0, 10, 0, 20, 0});
  }
}

}  // namespace ipa::test
