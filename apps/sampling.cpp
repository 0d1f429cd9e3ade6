#include "apps/sampling.h"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>

#include "apps/mask_file.h"
#include "engine/error.h"
#include "engine/rng.h"
#include "engine/transfer.h"
#include "kernels/corrupt.h"

namespace ipa {

Sampler::Sampler(std::int64_t count, const TrainOptions& train, int rank, int ranks)
    : count_(count),
      rank_(rank),
      ranks_(ranks),
      batch_(std::min(train.batch, count / ranks)),
      seed_(static_cast<std::uint64_t>(train.seed)) {
  if (batch_ < 1)
    fail(ErrorKind::usage, fmt::format("{} slices are too few for {} processes", count, ranks), "--train",
         "each takes one at least");
}

std::vector<std::int64_t> Sampler::slices_of(std::int64_t step) {
  const std::int64_t epoch = step / steps_per_epoch(), position = step % steps_per_epoch();
  if (epoch != epoch_) {
    order_.resize(static_cast<std::size_t>(count_));
    std::iota(order_.begin(), order_.end(), 0);
    RandomSequence random(seed_, RandomUse::data_order, static_cast<std::uint64_t>(epoch), 0);
    for (std::size_t i = order_.size(); i-- > 1;)  // Fisher and Yates
      std::swap(order_[i], order_[random.below(static_cast<std::uint32_t>(i + 1))]);
    epoch_ = epoch;
  }
  const auto first = order_.begin() + static_cast<std::ptrdiff_t>(position * step_size() + first_sample());
  return {first, first + static_cast<std::ptrdiff_t>(batch_)};
}

MaskSource mask_source(const DataOptions& data, MaskSplit split) {
  const int size = static_cast<int>(data.size);
  if (data.masks == "square") return {};
  if (data.masks == "arbitrary")
    return {make_masks(MaskKind::arbitrary, split, default_mask_count(split), size, 0), true};
  const MaskFile file(data.masks);
  file.require_size({size, size}, "data.size");
  return {file.read_all(), false};
}

PairAttributes pair_attributes(const DataOptions& data, const TrainOptions& train, bool redraw,
                               std::int64_t first_sample) {
  return {static_cast<std::uint64_t>(train.seed), hole_value<float>(data.hole, -1, 1), data.flip, redraw,
          static_cast<std::uint32_t>(first_sample)};
}

ResidentData::ResidentData(const SliceSet& slices, const DataOptions& data, const TrainOptions& train,
                           std::int64_t first_sample, Device device) {
  auto bring = [device](const char* name, const void* from, const TensorSpec& spec) {
    Buffer buffer(name, bytes_on(device, spec), device);
    copy_to_device(from, spec.bytes(), buffer.data(), device);
    return buffer;
  };
  const std::int64_t side = slices.size();
  const bool grey = !slices.grey().empty();
  const TensorSpec spec{{slices.count(), 1, side, side}, grey ? DType::u8 : DType::f32};
  const void* pixels = grey ? static_cast<const void*>(slices.grey().data()) : slices.scaled().data();
  if (device.is_cpu()) {
    data_.slices = Tensor(const_cast<void*>(pixels), spec, device);  // only read
  } else {
    slices_ = bring("slices", pixels, spec);
    data_.slices = slices_.tensor(spec);
  }
  const MaskSource source = mask_source(data, MaskSplit::train);
  if (const auto count = static_cast<std::int64_t>(source.set.count()); count > 0) {
    const TensorSpec masks{{count, 1, side, side}, DType::u8};
    masks_ = bring("masks", source.set.pixels.data(), masks);
    data_.masks = masks_.tensor(masks);
  }
  data_.pairs = pair_attributes(data, train, source.redraw, first_sample);
}

}  // namespace ipa
