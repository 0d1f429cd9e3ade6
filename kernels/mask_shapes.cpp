#include "kernels/mask_shapes.h"

#include <algorithm>
#include <cmath>

namespace ipa {
namespace {

constexpr double pi = 3.14159265358979;

// Positions of further strokes and ellipses, relative to the centre.
double nearby(RandomSequence& random) { return random.uniform(-40.0f, 40.0f); }

MaskShape brush(RandomSequence& random) {
  MaskShape shape;
  const std::uint32_t strokes = 1 + random.below(3);
  for (std::uint32_t stroke = 0; stroke < strokes; ++stroke) {
    double x = nearby(random), y = nearby(random), heading = random.uniform(0, 2 * pi);
    const double radius = random.uniform(3.0f, 8.0f);
    const std::uint32_t segments = 2 + random.below(5);
    for (std::uint32_t segment = 0; segment < segments; ++segment) {
      const double length = random.uniform(8.0f, 36.0f);
      const double x1 = x + length * std::cos(heading), y1 = y + length * std::sin(heading);
      shape.capsules.push_back({x, y, x1, y1, radius});
      x = x1;
      y = y1;
      heading += random.uniform(-0.6f, 0.6f) * pi;
    }
  }
  return shape;
}

MaskShape blob(RandomSequence& random) {
  Blob b{random.uniform(14.0f, 32.0f), {}, {}};
  for (std::size_t k = 0; k < b.amplitude.size(); ++k) {
    b.amplitude[k] = random.uniform(0.0f, 0.35f) / double(k + 1);
    b.phase[k] = random.uniform(0, 2 * pi);
  }
  return {{}, {}, {b}};
}

MaskShape ellipses(RandomSequence& random) {
  MaskShape shape;
  const std::uint32_t count = 1 + random.below(4);
  for (std::uint32_t i = 0; i < count; ++i) {
    const double x = nearby(random), y = nearby(random);
    const double semi_a = random.uniform(6.0f, 26.0f), semi_b = random.uniform(6.0f, 26.0f);
    shape.ellipses.push_back({x, y, semi_a, semi_b, random.uniform(0, pi)});
  }
  return shape;
}

bool contains(const Capsule& c, double x, double y) {
  const double dx = c.x1 - c.x0, dy = c.y1 - c.y0;
  const double along = std::clamp(((x - c.x0) * dx + (y - c.y0) * dy) / (dx * dx + dy * dy), 0.0, 1.0);
  const double ex = x - c.x0 - along * dx, ey = y - c.y0 - along * dy;
  return ex * ex + ey * ey <= c.radius * c.radius;
}

bool contains(const Ellipse& e, double x, double y) {
  const double cosine = std::cos(e.angle), sine = std::sin(e.angle), dx = x - e.x, dy = y - e.y;
  const double u = (cosine * dx + sine * dy) / e.semi_a, v = (cosine * dy - sine * dx) / e.semi_b;
  return u * u + v * v <= 1;
}

bool contains(const Blob& b, double x, double y) {
  const double angle = std::atan2(y, x);
  double radius = 1;
  for (std::size_t k = 0; k < b.amplitude.size(); ++k)
    radius += b.amplitude[k] * std::cos(double(k + 1) * angle + b.phase[k]);
  radius *= b.radius;
  return radius > 0 && x * x + y * y <= radius * radius;
}

struct Box {
  double x0, y0, x1, y1;
};
Box bounds(const Capsule& c) {
  return {std::min(c.x0, c.x1) - c.radius, std::min(c.y0, c.y1) - c.radius, std::max(c.x0, c.x1) + c.radius,
          std::max(c.y0, c.y1) + c.radius};
}
Box bounds(const Ellipse& e) {
  const double reach = std::max(e.semi_a, e.semi_b);
  return {e.x - reach, e.y - reach, e.x + reach, e.y + reach};
}
Box bounds(const Blob& b) {
  double reach = 1;
  for (const double amplitude : b.amplitude) reach += amplitude;
  reach *= b.radius;
  return {-reach, -reach, reach, reach};
}

}  // namespace

MaskShape random_shape(ShapeKind kind, RandomSequence& random) {
  switch (kind) {
    case ShapeKind::brush:
      return brush(random);
    case ShapeKind::blob:
      return blob(random);
    case ShapeKind::ellipses:
      return ellipses(random);
  }
  return {};
}

int rasterize(const MaskShape& shape, double scale, double x, double y, int size, std::span<std::uint8_t> canvas) {
  std::fill(canvas.begin(), canvas.end(), std::uint8_t{0});
  int count = 0;
  const auto limit = [&](double position) { return static_cast<int>(std::clamp(position, 0.0, double(size - 1))); };
  const auto paint = [&](const auto& part) {
    const Box box = bounds(part);
    const int last_row = limit(y + scale * box.y1 + 1), last_column = limit(x + scale * box.x1 + 1);
    for (int row = limit(y + scale * box.y0 - 1); row <= last_row; ++row)
      for (int column = limit(x + scale * box.x0 - 1); column <= last_column; ++column) {
        std::uint8_t& pixel =
            canvas[static_cast<std::size_t>(row) * static_cast<std::size_t>(size) + static_cast<std::size_t>(column)];
        if (pixel != 0) continue;
        if (contains(part, (column - x) / scale, (row - y) / scale)) {
          pixel = 1;
          ++count;
        }
      }
  };
  for (const Capsule& capsule : shape.capsules) paint(capsule);
  for (const Ellipse& ellipse : shape.ellipses) paint(ellipse);
  for (const Blob& b : shape.blobs) paint(b);
  return count;
}

}  // namespace ipa
