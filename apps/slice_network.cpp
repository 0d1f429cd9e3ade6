#include "apps/slice_network.h"

#include <algorithm>
#include <cmath>

#include "engine/error.h"
#include "engine/transfer.h"

namespace ipa {
namespace {

// A square's place: pixel (row, column) of the slice lies at (row - top, column - left) of the square, and there counted
// from the other end where the square is mirrored.
struct Place {
  std::size_t slice;
  int top, left;
  bool mirrored, upside_down;
};

std::vector<Place> places_of(std::size_t slice, PlaneSize size, int side, int views) {
  auto starts = [side](int length) {
    return length <= side ? std::vector{(length - side) / 2} : square_starts(length, side);
  };
  std::vector<Place> places;
  for (const int top : starts(size.height))
    for (const int left : starts(size.width))
      for (int v = 0; v < views; ++v) places.push_back({slice, top, left, v % 2 == 1, v / 2 == 1});
  return places;
}

// Calls f(pixel of the square, pixel of the slice) where both are.
template <class F>
void visit(const Place& place, PlaneSize size, int side, F f) {
  const int first_row = std::max(0, -place.top), last_row = std::min(side, size.height - place.top);
  const int first = std::max(0, -place.left), last = std::min(side, size.width - place.left);
  for (int r = first_row; r < last_row; ++r)
    for (int c = first; c < last; ++c)
      f(place.upside_down ? side - 1 - r : r, place.mirrored ? side - 1 - c : c,
        size.at(place.top + r, place.left + c));
}

}  // namespace

std::vector<int> square_starts(int length, int side) {
  if (length <= side) return {0};
  const int most_step = side - side / 4;
  const int count = 1 + (length - side + most_step - 1) / most_step;
  std::vector<int> starts;
  for (int i = 0; i < count; ++i)
    starts.push_back(static_cast<int>(static_cast<std::int64_t>(length - side) * i / (count - 1)));
  return starts;
}

SliceNetwork::SliceNetwork(const Model& model, const SliceNetworkOptions& options)
    : side_(static_cast<int>(model.settings.data.size)),
      batch_(options.batch),
      views_(options.views),
      inpainter_(*model.generator, model.settings.net, batch_, side_, side_,
                 compute_type_on(model.generator->device())) {
  inpainter_.fold();
}

void SliceNetwork::run(std::span<const float> slices, PlaneSize size, std::span<float> out) {
  require(slices.size() == out.size() && slices.size() % size.pixels() == 0, "slice network: sizes differ");
  std::vector<Place> places;
  for (std::size_t s = 0; s < slices.size() / size.pixels(); ++s)
    for (const Place& p : places_of(s, size, side_, views_)) places.push_back(p);
  const std::size_t square = PlaneSize{side_, side_}.pixels();
  const bool blended = views_ > 1 || size.height > side_ || size.width > side_;
  std::vector<float> weights(blended ? out.size() : 0);
  std::fill(out.begin(), out.end(), 0.0f);
  std::vector<float> in(static_cast<std::size_t>(batch_) * square);
  for (std::size_t first = 0; first < places.size(); first += static_cast<std::size_t>(batch_)) {
    const std::size_t used = std::min(places.size() - first, static_cast<std::size_t>(batch_));
    std::fill(in.begin(), in.end(), -1.0f);
    for (std::size_t i = 0; i < used; ++i) {
      const Place& p = places[first + i];
      visit(p, size, side_, [&](int r, int c, std::size_t pixel) {
        in[i * square + PlaneSize{side_, side_}.at(r, c)] = slices[p.slice * size.pixels() + pixel];
      });
    }
    from_host(in, inpainter_.input());
    inpainter_.run();
    const std::vector<float> made = to_host(inpainter_.output());
    for (std::size_t i = 0; i < used; ++i) {
      const Place& p = places[first + i];
      visit(p, size, side_, [&](int r, int c, std::size_t pixel) {
        const float value = made[i * square + PlaneSize{side_, side_}.at(r, c)];
        const std::size_t at = p.slice * size.pixels() + pixel;
        if (!blended) {
          out[at] = value;
          return;
        }
        const auto weight = static_cast<float>(std::min({r, c, side_ - 1 - r, side_ - 1 - c}) + 1);
        out[at] += weight * value;
        weights[at] += weight;
      });
    }
  }
  for (std::size_t i = 0; i < weights.size(); ++i) out[i] /= weights[i];
  if (!std::all_of(out.begin(), out.end(), [](float v) { return std::isfinite(v); }))
    fail(ErrorKind::numerical, "the network's output is not finite", {},
         "the model is damaged or was trained into the ground");
}

}  // namespace ipa
