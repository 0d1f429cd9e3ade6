#include "apps/evaluation.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <utility>

#include "apps/progress.h"
#include "apps/slices.h"
#include "engine/error.h"
#include "kernels/change_map.h"
#include "kernels/corrupt.h"
#include "kernels/harmonic.h"

namespace ipa {
namespace {

constexpr std::array<std::pair<const char*, std::vector<std::uint8_t> EvaluatedSlice::*>, 4> methods{
    {{"corrupted", &EvaluatedSlice::corrupted},
     {"harmonic", &EvaluatedSlice::harmonic},
     {"raw", &EvaluatedSlice::raw},
     {"composite", &EvaluatedSlice::composite}}};

std::vector<std::uint8_t> grey(std::span<const float> image) {
  std::vector<std::uint8_t> out(image.size());
  quantize_u8(image, -1, 1, out);
  return out;
}

}  // namespace

Evaluator::Evaluator(const Model& model, StackReader& data, const MaskFile& masks,
                     const SliceNetworkOptions& options)
    : model_(model), data_(data), masks_(masks), size_(plane_size(data)), network_(model, options) {
  masks.require_size(size_, data.file().path());
}

std::vector<std::uint8_t> Evaluator::read_mask(std::uint64_t slice) const {
  std::vector<std::uint8_t> mask(size_.pixels());
  masks_.read(static_cast<std::int64_t>(slice), mask);
  if (std::find(mask.begin(), mask.end(), 0) == mask.end())
    fail(ErrorKind::input, fmt::format("the mask of slice {} covers all of it", slice), masks_.path().string(),
         "nothing is left to go by");
  return mask;
}

std::vector<EvaluatedSlice> Evaluator::inpaint(std::uint64_t first, std::uint64_t count) {
  const std::size_t n = size_.pixels();
  const auto part = [n](auto& v, std::size_t i) { return std::span(v).subspan(i * n, n); };
  const auto hole = hole_value<float>(model_.settings.data.hole, -1, 1);
  const ChangeMapOptions options{.threshold = model_.change_threshold};

  std::vector<float> target(count * n), corrupted(count * n), made(count * n);
  std::vector<EvaluatedSlice> slices(count);
  data_.read_scaled(first, count, target.data());
  corrupted = target;
  for (std::size_t i = 0; i < count; ++i) {
    slices[i].mask = read_mask(first + i);
    blank<float>(part(corrupted, i), slices[i].mask, hole);
  }
  network_.run(corrupted, size_, made);
#pragma omp parallel for schedule(dynamic)
  for (std::size_t i = 0; i < count; ++i) {
    EvaluatedSlice& s = slices[i];
    s.target = grey(part(target, i));
    s.corrupted = grey(part(corrupted, i));
    s.raw = grey(part(made, i));
    s.change = change_map(smoothed_difference(part(corrupted, i), part(made, i), size_), size_, options);
    s.composite.resize(n);
    composite<std::uint8_t>(s.corrupted, s.raw, s.change, s.composite);
    harmonic_fill(part(corrupted, i), s.mask, size_);
    s.harmonic = grey(part(corrupted, i));
  }
  return slices;
}

double Evaluator::changed_share(std::span<const std::uint64_t> clean) {
  const std::size_t n = size_.pixels();
  std::vector<float> in(clean.size() * n), out(clean.size() * n);
  for (std::size_t i = 0; i < clean.size(); ++i) data_.read_scaled(clean[i], 1, in.data() + i * n);
  network_.run(in, size_, out);
  std::vector<std::vector<float>> differences(clean.size());
  for (std::size_t i = 0; i < clean.size(); ++i)
    differences[i] = smoothed_difference(std::span(in).subspan(i * n, n), std::span(out).subspan(i * n, n), size_);
  return change_rate(differences, size_, {.threshold = model_.change_threshold}) * static_cast<double>(clean.size());
}

Evaluation Evaluator::run(std::int64_t clean, bool quiet) {
  const StackInfo& info = data_.info();
  const auto batch = static_cast<std::uint64_t>(network_.slices_at_once());
  Evaluation result;
  result.clean = std::min(clean, static_cast<std::int64_t>(info.count));
  const auto clean_count = static_cast<std::uint64_t>(result.clean);
  Progress progress("evaluate", "slice", static_cast<std::int64_t>(info.count + clean_count), quiet);
  for (std::uint64_t first = 0; first < info.count; first += batch) {
    const std::uint64_t count = std::min(batch, info.count - first);
    const std::vector<EvaluatedSlice> slices = inpaint(first, count);
    std::vector<SliceScores> scores(count * methods.size());
#pragma omp parallel for schedule(dynamic)
    for (std::size_t j = 0; j < scores.size(); ++j) {
      const EvaluatedSlice& s = slices[j / methods.size()];
      scores[j] = score_slice(s.target, s.*methods[j % methods.size()].second, s.mask, size_);
    }
    for (std::size_t j = 0; j < scores.size(); ++j) {
      const std::uint64_t slice = first + j / methods.size();
      result.scores.add(methods[j % methods.size()].first, static_cast<std::int64_t>(slice),
                        info.subject.empty() ? "" : info.subject[slice], scores[j]);
    }
    progress.update(static_cast<std::int64_t>(first + count));
  }
  for (std::uint64_t done = 0; done < clean_count;) {
    std::vector<std::uint64_t> chosen;
    for (; chosen.size() < batch && done < clean_count; ++done)
      chosen.push_back((2 * done + 1) * info.count / (2 * clean_count));
    result.false_change += changed_share(chosen) / static_cast<double>(clean_count);
    progress.update(static_cast<std::int64_t>(info.count + done));
  }
  return result;
}

}  // namespace ipa
