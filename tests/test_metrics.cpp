#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <sstream>
#include <string>

#include "engine/rng.h"
#include "kernels/metrics.h"
#include "kernels/score_table.h"

using namespace ipa;

namespace {

using Image = std::vector<std::uint8_t>;

// The formulas of golden/make_metrics.py.
std::int64_t hashed(std::size_t index, std::uint64_t salt) {
  std::uint64_t v = (index * 2654435761ull + salt * 40503) & 0xFFFFFFFFu;
  v ^= v >> 15;
  v = (v * 2246822519ull) & 0xFFFFFFFFu;
  return static_cast<std::int64_t>((v ^ (v >> 13)) & 255);
}

struct Case {
  PlaneSize size;
  Image target, output, mask;
};

Case make_case(PlaneSize size, const std::string& kind) {
  Case made{size, Image(size.pixels()), Image(size.pixels()), Image(size.pixels())};
  const std::int64_t h = size.height, w = size.width;
  for (int row = 0; row < size.height; ++row)
    for (int column = 0; column < size.width; ++column) {
      const std::int64_t r = row, c = column;
      const std::size_t i = size.at(row, column);
      const bool head = (2 * r - h) * (2 * r - h) * w * w + (2 * c - w) * (2 * c - w) * h * h < h * h * w * w * 3 / 4;
      std::int64_t target = head ? 60 + (3 * r + 5 * c) % 97 + hashed(i, 1) % 20 : 0;
      const std::int64_t dr = r - 2 * h / 3, dc = c - 2 * w / 3, noise = hashed(i, 2);
      const bool hole =
          (r >= h / 3 && r < h / 2 && c >= w / 4 && c < w / 2) || dr * dr + dc * dc <= (h / 10) * (h / 10);
      std::int64_t output = target;
      if (kind == "noise") output = target + noise % 25 - 12;
      if (kind == "blank" && hole) output = 0;
      if (kind == "shift") output = target + 9;
      if (kind == "speckled" && !head && noise < 41) output = 1;
      if (kind == "zero_target") target = 0, output = noise < 128 ? 7 : 0;
      if (kind == "flat") target = 100, output = 110;
      made.target[i] = static_cast<std::uint8_t>(target);
      made.output[i] = static_cast<std::uint8_t>(std::clamp<std::int64_t>(output, 0, 255));
      made.mask[i] = hole;
    }
  return made;
}

std::int64_t total(const Image& image) {
  std::int64_t sum = 0;
  for (auto v : image) sum += v;
  return sum;
}

}  // namespace

TEST_CASE("scores equal scikit-image's and the plain loop's in every region", "[metrics]") {
  const std::map<std::string, PlaneSize> sizes{{"tiny", {12, 13}}, {"tall", {96, 80}}, {"slice", {256, 256}}};
  std::ifstream file(IPA_TEST_DIR "/golden/metrics.txt");
  REQUIRE(file);
  std::map<std::string, std::pair<Case, SliceScores>> cases;
  int values = 0;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name, region, metric, value;
    words >> name >> region >> metric >> value;
    if (region == "check") {
      const auto slash = name.find('/');
      Case made = make_case(sizes.at(name.substr(0, slash)), name.substr(slash + 1));
      std::int64_t mask_sum = 0;
      words >> mask_sum;
      INFO(name << ": the images must be those of the script");
      REQUIRE(total(made.target) == std::stoll(metric));
      REQUIRE(total(made.output) == std::stoll(value));
      REQUIRE(total(made.mask) == mask_sum);
      const SliceScores scores = score_slice(made.target, made.output, made.mask, made.size);
      cases.emplace(name, std::pair{std::move(made), scores});
      continue;
    }
    const double expected = std::stod(value);
    double actual = 0;
    for (Region candidate : all_regions)
      for (const Metric& m : all_metrics)
        if (region_name(candidate) == region && m.name == metric) actual = cases.at(name).second[candidate].*m.member;
    INFO(line << ", here " << actual);
    if (std::isnan(expected)) {
      CHECK(std::isnan(actual));
    } else if (std::isinf(expected)) {
      CHECK(actual == expected);
    } else {
      CHECK(std::abs(actual - expected) <= 1e-9 * std::max(1.0, std::abs(expected)));
    }
    ++values;
  }
  CHECK(values == 17 * 20);
}

TEST_CASE("without a mask only the whole slice is scored", "[metrics]") {
  const Case c = make_case({40, 40}, "noise");
  const SliceScores scores = score_slice(c.target, c.output, {}, c.size);
  CHECK(scores[Region::whole].mse > 0);
  CHECK(std::isnan(scores[Region::mask].mse));
  CHECK(std::isnan(scores[Region::outside].ssim));
}

TEST_CASE("a slice smaller than a window has MSE and PSNR but no SSIM or UQI", "[metrics]") {
  const Image x(49, 10), y(49, 12);
  const SliceScores scores = score_slice(x, y, {}, {7, 7});
  CHECK(scores[Region::whole].mse == 4);
  CHECK(scores[Region::whole].psnr == Approx(42.1102));
  CHECK(std::isnan(scores[Region::whole].ssim));
  CHECK(std::isnan(scores[Region::whole].uqi));
  CHECK(std::isnan(score_slice(Image(64), Image(64), {}, {8, 8})[Region::whole].uqi_sewar));
  CHECK(score_slice(Image(64), Image(64), {}, {8, 8})[Region::whole].uqi == 1);
}

TEST_CASE("UQI is decided by the background being exactly black, SSIM is not", "[metrics]") {
  // A perfect slice but for 16 % of the background at 1 instead of 0: SSIM .9967, UQI .4952 (background 57
  // %).
  const Case c = make_case({256, 256}, "speckled");
  const Scores scores = score_slice(c.target, c.output, {}, c.size)[Region::whole];
  CHECK(scores.ssim > 0.99);
  CHECK(scores.psnr > 55);
  CHECK(scores.uqi < 0.75);
  CHECK(scores.uqi_sewar < 0.75);
}

TEST_CASE("quantisation clips, rounds, undoes the scaling of every grey level and maps NaN to 0", "[metrics]") {
  std::vector<float> image;
  for (int v = 0; v < 256; ++v) image.push_back(2.0f * static_cast<float>(v) / 255 - 1);
  Image out(256);
  quantize_u8(image, -1, 1, out);
  for (int v = 0; v < 256; ++v) CHECK(out[static_cast<std::size_t>(v)] == v);
  const std::vector<float> odd{-7,
                               7,
                               std::numeric_limits<float>::quiet_NaN(),
                               std::numeric_limits<float>::infinity(),
                               -std::numeric_limits<float>::infinity(),
                               0.4f / 255,
                               0.6f / 255};
  Image odd_out(odd.size());
  quantize_u8(odd, 0, 1, odd_out);
  CHECK(odd_out == Image{0, 255, 0, 255, 0, 0, 1});
}

TEST_CASE("the table averages finite values only, over slices and per subject", "[metrics]") {
  ScoreTable table;
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  const auto add = [&](std::int64_t slice, const char* subject, double psnr, double mse) {
    SliceScores scores;
    scores.regions.fill({nan, nan, nan, nan, nan});
    scores[Region::whole].psnr = psnr;
    scores[Region::whole].mse = mse;
    table.add("raw", slice, subject, scores);
  };
  add(0, "a", 30, 10);
  add(1, "a", inf, 0);
  add(2, "b", 34, 5);
  table.add("blank", 0, "a", SliceScores{});
  CHECK(table.methods() == std::vector<std::string>{"raw", "blank"});
  const Summary all = table.summary("raw");
  constexpr std::size_t ssim = 0, psnr = 1, mse = 2;
  CHECK(all.slices == 3);
  CHECK(all.at(Region::whole, psnr).count == 2);
  CHECK(all.at(Region::whole, psnr).mean == 32);
  CHECK(all.at(Region::whole, psnr).std == Approx(std::sqrt(8.0)));
  CHECK(all.at(Region::whole, mse).mean == 5);
  CHECK(all.at(Region::whole, mse).std == 5);
  CHECK(all.at(Region::whole, ssim).count == 0);
  CHECK(std::isnan(all.at(Region::whole, ssim).mean));
  const auto subjects = table.subject_summaries("raw");
  REQUIRE(subjects.size() == 2);
  CHECK(subjects.at("a").at(Region::whole, psnr).mean == 30);
  CHECK(std::isnan(subjects.at("a").at(Region::whole, psnr).std));
  CHECK(subjects.at("a").at(Region::whole, mse).mean == 5);
  CHECK(subjects.at("b").slices == 1);
  CHECK_THROWS(table.rows("composite"));
}
