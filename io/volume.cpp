#include "io/volume.h"

#include <cmath>

namespace ipa {
namespace {

// For each output sample along one axis: the first input sample and the weights from there on, which sum to 1.
struct Taps {
  uint64_t first;
  std::vector<float> weights;
};

std::vector<Taps> taps_of(uint64_t from, uint64_t to, double step) {
  std::vector<Taps> taps(to);
  const double reach = std::max(step, 1.0);
  for (uint64_t i = 0; i < to; ++i) {
    const double centre =
        (static_cast<double>(i) - static_cast<double>(to - 1) / 2) * step + static_cast<double>(from - 1) / 2;
    const auto last_index = static_cast<int64_t>(from) - 1;
    const auto begin = static_cast<int64_t>(std::floor(centre - reach)),
               end = static_cast<int64_t>(std::ceil(centre + reach));
    const int64_t first = std::clamp<int64_t>(begin, 0, last_index), last = std::clamp<int64_t>(end, 0, last_index);
    std::vector<double> weights(static_cast<size_t>(last - first + 1), 0.0);
    double sum = 0;
    for (int64_t k = begin; k <= end; ++k) {
      const double weight = std::max(0.0, 1 - std::abs(static_cast<double>(k) - centre) / reach);
      weights[static_cast<size_t>(std::clamp(k, first, last) - first)] += weight;
      sum += weight;
    }
    taps[i].first = static_cast<uint64_t>(first);
    for (const double weight : weights) taps[i].weights.push_back(static_cast<float>(weight / sum));
  }
  return taps;
}

// (outer, from, inner) -> (outer, to, inner)
std::vector<float> resample_axis(const std::vector<float>& in, uint64_t outer, uint64_t from, uint64_t inner,
                                 const std::vector<Taps>& taps) {
  std::vector<float> out(outer * taps.size() * inner, 0.0f);
  for (uint64_t o = 0; o < outer; ++o)
    for (size_t i = 0; i < taps.size(); ++i) {
      float* row = out.data() + (o * taps.size() + i) * inner;
      for (size_t k = 0; k < taps[i].weights.size(); ++k) {
        const float weight = taps[i].weights[k];
        if (weight == 0) continue;
        const float* source = in.data() + (o * from + taps[i].first + k) * inner;
        for (uint64_t j = 0; j < inner; ++j) row[j] += weight * source[j];
      }
    }
  return out;
}

}  // namespace

AxialCut::AxialCut(const Nifti& volume) {
  const auto cosine = [&](size_t world, size_t axis) { return volume.affine[world][axis] / volume.spacing[axis]; };
  const auto nearer = [&](size_t world, size_t a, size_t b) {
    return std::abs(cosine(world, b)) > std::abs(cosine(world, a)) ? b : a;
  };
  // World axes: 0 to the right, 1 anterior, 2 superior.
  const size_t up = nearer(2, nearer(2, 0, 1), 2);
  const size_t front = nearer(1, (up + 1) % 3, (up + 2) % 3);
  const size_t side = 3 - up - front;
  const std::array<size_t, 3> axis = {up, front, side};
  const std::array<bool, 3> backward = {cosine(2, up) < 0, cosine(1, front) > 0, cosine(0, side) > 0};
  const std::array<uint64_t, 3> stride = {1, volume.size[0], volume.size[0] * volume.size[1]};
  for (size_t i = 0; i < 3; ++i) {
    size_[i] = volume.size[axis[i]];
    spacing_[i] = volume.spacing[axis[i]];
    const auto step = static_cast<int64_t>(stride[axis[i]]);
    step_[i] = backward[i] ? -step : step;
    if (backward[i]) origin_ += step * static_cast<int64_t>(size_[i] - 1);
  }
}

std::vector<float> resample(std::vector<float> values, std::array<uint64_t, 3>& size,
                            const std::array<double, 3>& spacing, const std::array<double, 3>& wanted) {
  require(values.size() == size[0] * size[1] * size[2], "resample: the values do not fill the size");
  // Coarser axes first: less is left for the others.
  std::array<size_t, 3> order = {0, 1, 2};
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return wanted[a] / spacing[a] > wanted[b] / spacing[b]; });
  for (const size_t axis : order) {
    const double step = wanted[axis] / spacing[axis];
    require(std::isfinite(step) && step > 0, "resample: spacings must be positive");
    if (std::abs(step - 1) < 1e-3) continue;
    const auto to = static_cast<uint64_t>(std::max(1.0, std::round(static_cast<double>(size[axis]) / step)));
    uint64_t outer = 1, inner = 1;
    for (size_t i = 0; i < axis; ++i) outer *= size[i];
    for (size_t i = axis + 1; i < 3; ++i) inner *= size[i];
    values = resample_axis(values, outer, size[axis], inner, taps_of(size[axis], to, step));
    size[axis] = to;
  }
  return values;
}

CentreFit::CentreFit(uint64_t height, uint64_t width, uint64_t side)
    : width_(width),
      side_(side),
      rows_(std::min(height, side)),
      columns_(std::min(width, side)),
      image_row_((height - rows_) / 2),
      image_column_((width - columns_) / 2),
      square_row_((side - rows_) / 2),
      square_column_((side - columns_) / 2) {}

}  // namespace ipa
