#include "io/prepare.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "io/holdout.h"
#include "io/nifti.h"
#include "io/stack.h"
#include "io/volume.h"

namespace fs = std::filesystem;

namespace ipa {
namespace {

constexpr uint8_t foreground_above = 10;
constexpr uint64_t largest_side = 8192;

std::string stem_of(const fs::path& path) {
  std::string name = path.filename().string();
  for (const char* ending : {".gz", ".nii", ".h5", ".hdf5"})
    if (name.ends_with(ending)) name.erase(name.size() - std::string_view(ending).size());
  for (char& c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (!std::isalnum(byte) && c != '-' && c != '_' && c != '.') c = '_';
  }
  return name.empty() ? "subject" : name;
}

// Takes slices one by one and keeps those that show something.
class Collector {
 public:
  Collector(const PrepareOptions& options, const fs::path& goal, bool overwrite)
      : options_(options), writer_(goal, overwrite), square_(options.size * options.size), pixels_(square_.size()) {
    writer_.declare("images", NumberType::u8, {0, options.size, options.size});
    info_.modality = options.modality;
    info_.intensity_range = Range{0, 255};
    info_.source = "ipamedgan prepare";
    const auto mm = static_cast<float>(options.spacing_mm);
    info_.spacing = {mm, mm};
  }

  void begin_input(const fs::path& path) { summary_.inputs.push_back({path, {}, 0, 0}); }

  // The name under which a subject of the current input is kept.
  std::string add_subject(const std::string& wanted) {
    std::string name = wanted;
    for (int i = 2; taken_.contains(name); ++i) name = fmt::format("{}_{}", wanted, i);
    taken_.insert(name);
    summary_.subjects.push_back(name);
    summary_.inputs.back().subjects.push_back(name);
    return name;
  }

  void add(const std::vector<float>& slice, uint64_t height, uint64_t width, Range range, const std::string& subject,
           int32_t index) {
    CentreFit(height, width, options_.size).fit(slice.data(), 0.0f, square_.data());
    const double factor = range.hi > range.lo ? 255 / (range.hi - range.lo) : 0;
    uint64_t foreground = 0;
    for (size_t i = 0; i < square_.size(); ++i) {
      pixels_[i] = saturate<uint8_t>((double{square_[i]} - range.lo) * factor);
      foreground += pixels_[i] > foreground_above;
    }
    PreparedInput& input = summary_.inputs.back();
    if (static_cast<double>(foreground) < options_.min_foreground * static_cast<double>(pixels_.size())) {
      ++input.dropped, ++summary_.dropped;
      return;
    }
    writer_.append("images", 1, pixels_.data());
    info_.subject.push_back(subject);
    info_.slice_index.push_back(index);
    scale_.push_back(static_cast<float>(range.lo));
    scale_.push_back(static_cast<float>(range.hi));
    ++input.slices, ++summary_.slices;
  }

  void found_modality(const std::string& modality) {
    if (info_.modality.empty()) info_.modality = modality;
  }

  void progress(double within_input) const {
    const double done =
        (static_cast<double>(summary_.inputs.size()) - 1 + within_input) / static_cast<double>(options_.inputs.size());
    if (options_.progress) options_.progress(done, summary_.inputs.back().path);
  }

  PrepareSummary finish() {
    if (summary_.slices == 0)
      fail(ErrorKind::input,
           fmt::format("none of {} slices has {} of its pixels above {} of 255", summary_.dropped,
                       options_.min_foreground, foreground_above),
           options_.inputs.front().string(), "lower --min-foreground, or check the images");
    writer_.describe(info_);
    writer_.file().write<float>("intensity_scale", scale_, {scale_.size() / 2, 2});
    writer_.commit();
    return std::move(summary_);
  }

 private:
  const PrepareOptions& options_;
  StackWriter writer_;
  StackInfo info_;
  PrepareSummary summary_;
  std::set<std::string> taken_;
  std::vector<float> scale_, square_;
  std::vector<uint8_t> pixels_;
};

// Before memory is asked for: what resampling would make of an array.
void check_resampled(const std::array<uint64_t, 3>& size, const std::array<double, 3>& spacing,
                     const PrepareOptions& options, const fs::path& path) {
  double bytes = sizeof(float);
  for (size_t i = 0; i < 3; ++i) bytes *= static_cast<double>(size[i]) * spacing[i] / options.spacing_mm + 1;
  if (!(bytes <= static_cast<double>(options.most_bytes)))
    fail(ErrorKind::input,
         fmt::format("resampled from {} x {} x {} mm to {} mm it would be too large for the memory", spacing[0],
                     spacing[1], spacing[2], options.spacing_mm),
         path.string(), "check the header, or choose another --spacing");
}

void prepare_volume(const fs::path& path, const PrepareOptions& options, Collector& out) {
  const Nifti volume = read_nifti(path, options.most_bytes);
  out.progress(0.3);
  const std::vector<float> voxels = finite_values_of(volume, path);
  const AxialCut cut(volume);
  std::array<uint64_t, 3> size = {cut.count(), cut.height(), cut.width()};
  const uint64_t pixels = size[1] * size[2];
  const Range range = robust_range([&](const auto& visit) { visit(voxels); });

  std::vector<float> slices(voxels.size());
  for (uint64_t s = 0; s < size[0]; ++s) cut.read(voxels.data(), s, slices.data() + s * pixels);
  const double mm = options.spacing_mm;
  check_resampled(size, cut.spacing(), options, path);
  slices = resample(std::move(slices), size, cut.spacing(), {mm, mm, mm});
  out.progress(0.6);

  const std::string subject = out.add_subject(stem_of(path));
  std::vector<float> slice(size[1] * size[2]);
  for (uint64_t s = 0; s < size[0]; ++s) {
    std::copy_n(slices.begin() + static_cast<int64_t>(s * slice.size()), slice.size(), slice.begin());
    out.add(slice, size[1], size[2], range, subject, static_cast<int32_t>(s));
  }
}

void prepare_stack(const fs::path& path, const PrepareOptions& options, Collector& out) {
  const StackReader stack(path, options.dataset, options.most_bytes);
  const StackInfo& info = stack.info();
  out.found_modality(info.modality);
  const uint64_t pixels = info.height * info.width;
  std::vector<char> raw(stack.slice_bytes());
  std::vector<float> slice(pixels);
  const auto read = [&](uint64_t s) {
    stack.read(s, 1, raw.data());
    slice.resize(pixels);
    to_float(info.type, raw.data(), pixels, slice.data());
  };

  const double mm = options.spacing_mm;
  std::array<double, 3> spacing = {mm, mm, mm};
  if (info.spacing.size() >= 2) {  // (rows, columns) or (slices, rows, columns)
    spacing[1] = info.spacing[info.spacing.size() - 2];
    spacing[2] = info.spacing.back();
  }
  if (!(spacing[1] > 0 && spacing[2] > 0))
    fail(ErrorKind::input, "the spacing is not positive", path.string() + ": spacing");
  check_resampled({1, info.height, info.width}, spacing, options, path);

  std::map<std::string, std::vector<uint64_t>> slices_of;
  std::vector<std::string> order;  // of first appearance
  for (uint64_t s = 0; s < info.count; ++s) {
    const std::string subject = info.subject.empty() ? stem_of(path) : info.subject[s];
    if (slices_of[subject].empty()) order.push_back(subject);
    slices_of[subject].push_back(s);
  }
  uint64_t done = 0;
  for (const std::string& wanted : order) {
    const std::string subject = out.add_subject(wanted);
    const std::vector<uint64_t>& own = slices_of[wanted];
    const Range range = robust_range([&](const auto& visit) {
      for (const uint64_t s : own) {
        read(s);
        visit(slice);
      }
    });
    for (size_t i = 0; i < own.size(); ++i) {
      read(own[i]);
      std::array<uint64_t, 3> size = {1, info.height, info.width};
      slice = resample(std::move(slice), size, spacing, {mm, mm, mm});
      const int32_t index = info.slice_index.empty() ? static_cast<int32_t>(i) : info.slice_index[own[i]];
      out.add(slice, size[1], size[2], range, subject, index);
      out.progress(static_cast<double>(++done) / static_cast<double>(info.count));
    }
  }
}

PrepareSummary collect(const PrepareOptions& options, const fs::path& goal, bool overwrite) {
  Collector out(options, goal, overwrite);
  for (const fs::path& path : options.inputs) {
    out.begin_input(path);
    out.progress(0);
    is_nifti_name(path) ? prepare_volume(path, options, out) : prepare_stack(path, options, out);
    out.progress(1);
  }
  return out.finish();
}

// What can only be decided when all slices are known: collects them in a file beside the output, then divides that.
PrepareSummary collect_and_divide(const PrepareOptions& options) {
  for (const fs::path& goal : {options.out, options.holdout_out}) AtomicFile::check(goal, options.overwrite);
  const AtomicFile whole(options.out.string() + ".whole", true);  // never committed: gone when we leave
  PrepareSummary summary = collect(options, whole.temporary(), true);
  const StackInfo info = StackReader(whole.temporary()).info();
  const Holdout holdout = choose_holdout(info, *options.holdout, options.seed);
  divide_stack(whole.temporary(), holdout, options.out, options.holdout_out, options.overwrite);

  std::set<std::string> kept, held;
  for (uint64_t s = 0; s < info.count; ++s) (holdout.held[s] ? held : kept).insert(info.subject[s]);
  for (const std::string& name : summary.subjects)
    if (held.contains(name)) summary.held_subjects.push_back(name);
  std::erase_if(summary.subjects, [&](const std::string& name) { return !kept.contains(name); });
  summary.held_slices = static_cast<uint64_t>(std::ranges::count(holdout.held, true));
  summary.slices -= summary.held_slices;
  summary.shared_subject = holdout.shared_subject;
  return summary;
}

}  // namespace

PrepareSummary prepare(const PrepareOptions& options) {
  if (options.inputs.empty()) fail(ErrorKind::usage, "no input", "prepare", "name NIfTI volumes or HDF5 stacks");
  if (options.size < 1 || options.size > largest_side)
    fail(ErrorKind::usage, fmt::format("a size of {} is out of range", options.size), "--size", "256 is usual");
  if (!(options.spacing_mm >= 0.01 && options.spacing_mm <= 100))
    fail(ErrorKind::usage, fmt::format("a spacing of {} mm is out of range", options.spacing_mm), "--spacing",
         "1 is usual");
  if (!(options.min_foreground >= 0 && options.min_foreground <= 1))
    fail(ErrorKind::usage, "the foreground is a fraction", "--min-foreground", "choose 0 to 1, 0.05 is usual");
  if (options.holdout.has_value() == options.holdout_out.empty())
    fail(ErrorKind::usage, "--holdout and --holdout-out belong together", {},
         "e.g. --holdout 0.1 --holdout-out validation.h5");
  if (!options.holdout) return collect(options, options.out, options.overwrite);
  if (!(*options.holdout > 0 && *options.holdout < 1))
    fail(ErrorKind::usage, "what is held out is a fraction between 0 and 1", "--holdout", "0.1 is usual");
  if (fs::weakly_canonical(fs::absolute(options.out)) == fs::weakly_canonical(fs::absolute(options.holdout_out)))
    fail(ErrorKind::usage, "both outputs are one file", options.holdout_out.string(), "choose another --holdout-out");
  return collect_and_divide(options);
}

}  // namespace ipa
