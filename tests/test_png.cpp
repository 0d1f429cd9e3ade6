#include "io/png.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "engine/error.h"
#include "io/base64.h"
#include "tests/support/bytes.h"
#include "tests/support/python.h"
#include "tests/support/temporary_folder.h"

TEST_CASE("another decoder reads our PNGs", "[io]") {
  TemporaryFolder folder;
  ipa::Image8 grey{5, 7, 1, {}}, rgb{5, 7, 3, {}};
  for (int i = 0; i < 35; ++i) grey.pixels.push_back(static_cast<uint8_t>(7 * i));
  for (int i = 0; i < 105; ++i) rgb.pixels.push_back(static_cast<uint8_t>(11 * i));
  write_bytes(folder / "grey.png", ipa::encode_png(grey));
  write_bytes(folder / "rgb.png", ipa::encode_png(rgb));
  CHECK(python(folder.path, R"(
import numpy as np
from skimage.io import imread
assert (imread("grey.png") == (7 * np.arange(35)).astype(np.uint8).reshape(5, 7)).all()
assert (imread("rgb.png") == (11 * np.arange(105)).astype(np.uint8).reshape(5, 7, 3)).all()
)"));
  grey.pixels.pop_back();
  CHECK_THROWS_AS(ipa::encode_png(grey), ipa::Error);
}

TEST_CASE("values become grey levels, differences blue to red, masks a tint", "[io]") {
  const std::vector<float> values = {-1.f, 0.f, 1.f, 2.f, NAN, -5.f};
  CHECK(ipa::grey_image(values, 2, 3, -1.f, 1.f).pixels == std::vector<uint8_t>{0, 128, 255, 255, 0, 0});
  const ipa::Image8 difference = ipa::difference_image(values, 2, 3, 1.f);
  CHECK(difference.channels == 3);
  CHECK(std::vector<uint8_t>(difference.pixels.begin() + 3, difference.pixels.begin() + 6) ==
        std::vector<uint8_t>{255, 255, 255});
  CHECK(difference.pixels[0] < difference.pixels[2]);  // negative: blue
  CHECK(difference.pixels[6] > difference.pixels[8]);  // positive: red
  const ipa::Image8 overlay = ipa::overlay_image({1, 2, 1, {100, 100}}, std::vector<uint8_t>{0, 1});
  CHECK(std::vector<uint8_t>(overlay.pixels.begin(), overlay.pixels.begin() + 3) ==
        std::vector<uint8_t>{100, 100, 100});
  CHECK(overlay.pixels[3] > overlay.pixels[5]);
}

TEST_CASE("base64: the vectors of RFC 4648", "[io]") {
  CHECK(ipa::base64("") == "");
  CHECK(ipa::base64("f") == "Zg==");
  CHECK(ipa::base64("fo") == "Zm8=");
  CHECK(ipa::base64("foo") == "Zm9v");
  CHECK(ipa::base64("foobar") == "Zm9vYmFy");
  CHECK(ipa::base64("\xff\xfe\xfd") == "//79");
}
