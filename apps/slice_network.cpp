#include "apps/slice_network.h"

#include <algorithm>
#include <cmath>

#include "engine/error.h"

namespace ipa {
namespace {

// Batches under way on a device of its own: one that is computed, one that is on its way there, one that comes back.
constexpr std::size_t batches_under_way = 3;

Mailbox mailbox_of(const Inpainter& inpainter) {
  const Tensor in = inpainter.input(), out = inpainter.output();
  require(in.packed() && out.packed() && in.dtype == DType::f32 && out.dtype == DType::f32,
          "slice network: slices travel as packed f32");
  return {
      in.device, in.data, in.spec().bytes(), out.data, out.spec().bytes(), in.device.is_cpu() ? 1 : batches_under_way};
}

}  // namespace

// A square's place: pixel (row, column) of the slice lies at (row - top, column - left) of the square, and there
// counted from the other end where the square is mirrored.
struct SliceNetwork::Place {
  std::size_t slice;
  int top, left;
  bool mirrored, upside_down;

  // Calls f(row of the square, column of the square, pixel of the slice) where both are.
  template <class F>
  void visit(PlaneSize size, int side, F f) const {
    const int first_row = std::max(0, -top), last_row = std::min(side, size.height - top);
    const int first = std::max(0, -left), last = std::min(side, size.width - left);
    for (int r = first_row; r < last_row; ++r)
      for (int c = first; c < last; ++c)
        f(upside_down ? side - 1 - r : r, mirrored ? side - 1 - c : c, size.at(top + r, left + c));
  }
};

std::vector<SliceNetwork::Place> SliceNetwork::places_of(std::size_t slice, PlaneSize size, int side, int views) {
  auto starts = [side](int length) {
    return length <= side ? std::vector{(length - side) / 2} : square_starts(length, side);
  };
  std::vector<Place> places;
  for (const int top : starts(size.height))
    for (const int left : starts(size.width))
      for (int v = 0; v < views; ++v) places.push_back({slice, top, left, v % 2 == 1, v / 2 == 1});
  return places;
}

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
                 compute_type_on(model.generator->device())),
      mailbox_(mailbox_of(inpainter_)) {
  inpainter_.fold();
}

std::int64_t SliceNetwork::slices_at_once() const {
  return inpainter_.input().device.is_cpu() ? batch_ : 2 * batches_under_way * batch_;
}

void SliceNetwork::send(std::span<const float> slices, PlaneSize size, std::span<const Place> places) {
  const PlaneSize square{side_, side_};
  auto* in = reinterpret_cast<float*>(mailbox_.outgoing());
  std::fill_n(in, static_cast<std::size_t>(batch_) * square.pixels(), -1.0f);
  for (std::size_t i = 0; i < places.size(); ++i)
    places[i].visit(size, side_, [&](int r, int c, std::size_t pixel) {
      in[i * square.pixels() + square.at(r, c)] = slices[places[i].slice * size.pixels() + pixel];
    });
  mailbox_.before_step(inpainter_.stream());
  inpainter_.run();
  mailbox_.after_step(inpainter_.stream());
}

void SliceNetwork::collect(std::span<const Place> places, PlaneSize size, std::span<float> out,
                           std::span<float> weights) {
  const PlaneSize square{side_, side_};
  const auto* made = reinterpret_cast<const float*>(mailbox_.next(true));
  for (std::size_t i = 0; i < places.size(); ++i)
    places[i].visit(size, side_, [&](int r, int c, std::size_t pixel) {
      const float value = made[i * square.pixels() + square.at(r, c)];
      const std::size_t at = places[i].slice * size.pixels() + pixel;
      if (weights.empty()) {
        out[at] = value;
        return;
      }
      const auto weight = static_cast<float>(std::min({r, c, side_ - 1 - r, side_ - 1 - c}) + 1);
      out[at] += weight * value;
      weights[at] += weight;
    });
}

void SliceNetwork::run(std::span<const float> slices, PlaneSize size, std::span<float> out) {
  require(slices.size() == out.size() && slices.size() % size.pixels() == 0, "slice network: sizes differ");
  std::vector<Place> places;
  for (std::size_t s = 0; s < slices.size() / size.pixels(); ++s)
    for (const Place& p : places_of(s, size, side_, views_)) places.push_back(p);
  const bool blended = views_ > 1 || size.height > side_ || size.width > side_;
  std::vector<float> weights(blended ? out.size() : 0);
  std::fill(out.begin(), out.end(), 0.0f);

  const auto batch = static_cast<std::size_t>(batch_), batches = (places.size() + batch - 1) / batch;
  const auto part = [&](std::size_t b) {
    return std::span<const Place>(places).subspan(b * batch, std::min(batch, places.size() - b * batch));
  };
  std::size_t collected = 0;
  for (std::size_t b = 0; b < batches; ++b) {
    if (mailbox_.full()) collect(part(collected++), size, out, weights);
    send(slices, size, part(b));
  }
  while (collected < batches) collect(part(collected++), size, out, weights);

  for (std::size_t i = 0; i < weights.size(); ++i) out[i] /= weights[i];
  if (!std::all_of(out.begin(), out.end(), [](float v) { return std::isfinite(v); }))
    fail(ErrorKind::numerical, "the network's output is not finite", {},
         "the model is damaged or was trained into the ground");
}

}  // namespace ipa
