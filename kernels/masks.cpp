#include "kernels/masks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <numeric>

#include <fmt/core.h>

#include "engine/error.h"
#include "kernels/mask_shapes.h"

namespace ipa {
namespace {

RandomUse shapes_of(MaskSplit split) {
  return split == MaskSplit::train ? RandomUse::mask_train : RandomUse::mask_test;
}

// A square of size/4 at a uniform position. Returns its top left corner (row, column).
struct Corner {
  int row, column;
};
Corner random_corner(PlaneSize size, int side, RandomSequence& random) {
  const int row = static_cast<int>(random.below(static_cast<std::uint32_t>(size.height - side + 1)));
  const int column = static_cast<int>(random.below(static_cast<std::uint32_t>(size.width - side + 1)));
  return {row, column};
}
void paint_square(PlaneSize size, Corner corner, int side, std::span<std::uint8_t> out) {
  std::fill(out.begin(), out.end(), std::uint8_t{0});
  for (int r = 0; r < side; ++r)
    std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(size.at(corner.row + r, corner.column)), side,
                std::uint8_t{1});
}

std::vector<std::uint8_t> head_of(std::span<const std::uint8_t> slice) {
  std::vector<std::uint8_t> head(slice.size());
  std::ranges::transform(slice, head.begin(), [](std::uint8_t v) { return v > head_threshold; });
  return head;
}

double fraction(const HeadShare& share) {
  return static_cast<double>(share.head) / static_cast<double>(share.least_area());
}

// What one mask of a set has to be.
struct Target {
  int area;
  int least, most;  // limits of the area actually reached
  ShapeKind kind;
};

// Targets whose areas are stratified over the window: one in each of `count` equal parts, in random order.
std::vector<Target> targets(MaskSplit split, int count, int size, std::uint64_t seed) {
  const AreaWindow window = area_window(split, size);
  RandomSequence random(seed, shapes_of(split), 0, 0);
  std::vector<int> part(static_cast<std::size_t>(count));
  std::iota(part.begin(), part.end(), 0);
  for (std::size_t i = part.size(); i > 1; --i)
    std::swap(part[i - 1], part[random.below(static_cast<std::uint32_t>(i))]);
  const double stratum = double(window.most - window.least) / count;
  const int slack = static_cast<int>(std::max(2.0, stratum / 4));
  constexpr std::array<ShapeKind, 4> kinds{ShapeKind::brush, ShapeKind::blob, ShapeKind::brush, ShapeKind::ellipses};
  std::vector<Target> result;
  for (std::size_t i = 0; i < part.size(); ++i) {
    const double position = (part[i] + double(random.uniform())) * stratum;
    const int area = std::min(window.least + static_cast<int>(position), window.most);
    result.push_back({area, std::max(area - slack, window.least), std::min(area + slack, window.most), kinds[i % 4]});
  }
  return result;
}

// One attempt: a random shape, scaled to the area by bisection and moved to a random place where it keeps a distance of
// 1/16 from the border. False where the shape cannot be used.
bool try_mask(const Target& target, int size, RandomSequence& random, std::vector<std::uint8_t>& canvas,
              std::span<std::uint8_t> out) {
  const MaskShape shape = random_shape(target.kind, random);
  const double unit = size / 256.0, middle = size / 2.0;
  const double x = middle + random.uniform(), y = middle + random.uniform();
  double small = 0.5 * unit, large = 2 * unit;  // keeps strokes and blobs near their natural width
  int area = 0;
  for (int step = 0; step < 14; ++step) {
    const double scale = (small + large) / 2;
    area = rasterize(shape, scale, x, y, size, canvas);
    if (std::abs(area - target.area) <= 1) break;
    (area < target.area ? small : large) = scale;
  }
  if (area < target.least || area > target.most) return false;

  const PlaneSize plane{size, size};
  int top = size, left = size, bottom = -1, right = -1;
  for (int r = 0; r < size; ++r)
    for (int c = 0; c < size; ++c)
      if (canvas[plane.at(r, c)] != 0) {
        top = std::min(top, r);
        bottom = r;
        left = std::min(left, c);
        right = std::max(right, c);
      }
  const int margin = size / 16;
  const int free_rows = size - 2 * margin - (bottom - top + 1), free_columns = size - 2 * margin - (right - left + 1);
  const bool cut = top == 0 || left == 0 || bottom == size - 1 || right == size - 1;
  if (cut || free_rows < 0 || free_columns < 0) return false;
  const int to_row = margin + static_cast<int>(random.below(static_cast<std::uint32_t>(free_rows) + 1));
  const int to_column = margin + static_cast<int>(random.below(static_cast<std::uint32_t>(free_columns) + 1));
  std::fill(out.begin(), out.end(), std::uint8_t{0});
  for (int r = top; r <= bottom; ++r)
    std::copy_n(canvas.begin() + static_cast<std::ptrdiff_t>(plane.at(r, left)), right - left + 1,
                out.begin() + static_cast<std::ptrdiff_t>(plane.at(to_row + r - top, to_column)));
  return true;
}

}  // namespace

AreaWindow area_window(MaskSplit split, int size) {
  const double pixels = double(size) * size;
  const auto [least, most] = split == MaskSplit::train ? std::array{0.0136, 0.0546} : std::array{0.0166, 0.0456};
  return {static_cast<int>(std::ceil(least * pixels)), static_cast<int>(std::floor(most * pixels))};
}

int default_mask_count(MaskSplit split) { return split == MaskSplit::train ? 100 : 50; }

MaskSet make_masks(MaskKind kind, MaskSplit split, int count, int size, std::uint64_t seed) {
  if (size < 32 || size > 4096)
    fail(ErrorKind::usage, fmt::format("{} is no size for masks", size), "masks", "sizes are 32 to 4096");
  if (count < 1 || count > 100000)
    fail(ErrorKind::usage, fmt::format("{} is no count of masks", count), "masks", "counts are 1 to 100000");
  const PlaneSize plane{size, size};
  MaskSet set{size, std::vector<std::uint8_t>(plane.pixels() * static_cast<std::size_t>(count))};
  const auto mask = [&](int i) {
    return std::span(set.pixels).subspan(static_cast<std::size_t>(i) * plane.pixels(), plane.pixels());
  };
  const auto is_square = [kind](int i) { return kind == MaskKind::square || (kind == MaskKind::mixed && i % 8 == 7); };
  const std::vector<Target> wanted = targets(split, count, size, seed);
  constexpr std::uint64_t most_attempts = 10000;
  int failed = 0;
  // Mask i takes its numbers from step 1 + attempt, sample i; the targets took step 0.
#pragma omp parallel for schedule(dynamic) reduction(+ : failed)
  for (int i = 0; i < count; ++i) {
    if (is_square(i)) {
      RandomSequence random(seed, shapes_of(split), 1, static_cast<std::uint32_t>(i));
      paint_square(plane, random_corner(plane, size / 4, random), size / 4, mask(i));
      continue;
    }
    std::vector<std::uint8_t> canvas(plane.pixels());
    bool done = false;
    for (std::uint64_t attempt = 0; !done && attempt < most_attempts; ++attempt) {
      RandomSequence random(seed, shapes_of(split), 1 + attempt, static_cast<std::uint32_t>(i));
      done = try_mask(wanted[static_cast<std::size_t>(i)], size, random, canvas, mask(i));
    }
    failed += !done;
  }
  require(failed == 0, "make_masks: no shape of the area wanted was found");
  return set;
}

MaskSet unite(const MaskSet& set, int number) {
  require(number > 0 && set.count() % static_cast<std::size_t>(number) == 0, "unite: the masks cannot be shared out");
  const std::size_t pixels = PlaneSize{set.size, set.size}.pixels(), parts = static_cast<std::size_t>(number);
  MaskSet united{set.size, std::vector<std::uint8_t>(set.pixels.size() / parts)};
  for (std::size_t i = 0; i < set.pixels.size(); ++i)
    united.pixels[i / (pixels * parts) * pixels + i % pixels] |= set.pixels[i];
  return united;
}

HeadShare share_on_head(std::span<const std::uint8_t> mask, std::span<const std::uint8_t> head) {
  require(mask.size() == head.size(), "share_on_head: mask and slice differ in size");
  HeadShare share{0, 0};
  for (std::size_t i = 0; i < mask.size(); ++i) {
    share.area += mask[i] != 0;
    share.head += mask[i] != 0 && head[i] != 0;
  }
  return share;
}

HeadShare share_of_square(const MaskRule& rule, const MaskCandidate& square, std::span<const std::uint8_t> head) {
  const PlaneSize size{rule.height, rule.width};
  require(head.size() == size.pixels(), "share_of_square: another size than the rule's");
  const int side = rule.square();
  HeadShare share{side * side, 0};
  for (int r = 0; r < side; ++r)
    for (int c = 0; c < side; ++c) share.head += head[size.at(square.row + r, square.column + c)] != 0;
  return share;
}

double head_fraction(std::span<const std::uint8_t> mask, std::span<const std::uint8_t> slice) {
  return fraction(share_on_head(mask, head_of(slice)));
}

DrawnMask draw_mask(const MaskSource& source, std::span<const std::uint8_t> slice, PlaneSize size, std::uint64_t seed,
                    std::uint64_t step, std::uint32_t sample, std::span<std::uint8_t> out) {
  require(slice.size() == size.pixels() && out.size() == size.pixels(), "draw_mask: slice and mask differ in size");
  const std::size_t count = source.set.count();
  if (count > 0 && PlaneSize{source.set.size, source.set.size} != size)
    fail(ErrorKind::input,
         fmt::format("masks of {0}x{0} do not fit slices of {1}x{2}", source.set.size, size.height, size.width),
         "masks", "make masks of the slices' size with `masks --size`");
  const MaskRule rule{size.height, size.width, static_cast<std::uint32_t>(count), source.redraw};
  const std::vector<std::uint8_t> head = head_of(slice);
  MaskDraw draw(rule, seed, step, sample);
  MaskCandidate c = draw.next();
  while (draw.judge(c, count > 0 ? share_on_head(source.set[static_cast<std::size_t>(c.index)], head)
                                 : share_of_square(rule, c, head)))
    c = draw.next();
  c = draw.best();
  if (count > 0)
    std::ranges::copy(source.set[static_cast<std::size_t>(c.index)], out.begin());
  else
    paint_square(size, {c.row, c.column}, rule.square(), out);
  return {c.index, draw.attempts(), fraction(draw.best_share())};
}

}  // namespace ipa
