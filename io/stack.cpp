#include "io/stack.h"

#include <fmt/core.h>

#include <algorithm>

namespace ipa {
namespace {

constexpr uint64_t block_bytes = uint64_t{32} << 20;  // read at a time when all slices are visited

std::string find_images(const ForeignFile& file) {
  for (const char* name : {"images", "image", "data", "slices", "reconstruction_rss", "reconstruction_esc"})
    if (file.exists(name) && !file.is_group(name)) return name;
  fail(ErrorKind::input,
       "no dataset of slices found (images, image, data, slices, reconstruction_rss, reconstruction_esc)",
       file.path().string(), "name it with --dataset");
}

std::string text_attribute(const ForeignFile& file, const std::string& dataset, const std::string& name) {
  for (const std::string& object : {dataset, std::string("/")})
    if (file.has_attribute(object, name)) return file.text(object, name);
  return {};
}

// Of strings or of numbers.
std::vector<std::string> read_names(const ForeignFile& file, const std::string& object) {
  const ForeignDataset dataset = file.dataset(object);
  if (!dataset.type()) return dataset.read_strings();
  std::vector<std::string> names;
  for (const int64_t number : dataset.read<int64_t>()) names.push_back(std::to_string(number));
  return names;
}

std::vector<int32_t> read_index(const ForeignFile& file, const std::string& object) {
  std::vector<int32_t> index;
  for (const int64_t number : file.read<int64_t>(object))
    index.push_back(saturate<int32_t>(static_cast<double>(number)));
  return index;
}

}  // namespace

StackReader::StackReader(const std::filesystem::path& path, const std::string& dataset, uint64_t most_bytes)
    : StackReader(ForeignFile::open(path, most_bytes), dataset) {}

StackReader::StackReader(ForeignFile file, const std::string& dataset) : file_(std::move(file)) {
  info_.dataset = dataset.empty() ? find_images(file_) : dataset;
  images_ = file_.dataset(info_.dataset);
  describe();
}

std::string StackReader::where() const { return fmt::format("{}: {}", file_.path().string(), info_.dataset); }

void StackReader::describe() {
  hdf5::Shape shape = info_.shape = images_->shape();
  if (shape.size() == 4 && shape[3] == 1)
    shape.pop_back();
  else if (shape.size() == 4 && shape[1] == 1)
    shape.erase(shape.begin() + 1);
  if (shape.size() != 3)
    fail(ErrorKind::input, fmt::format("it has {} dimensions, a stack of slices has (N, H, W)", info_.shape.size()),
         where());
  if (hdf5::elements(shape) == 0)
    fail(ErrorKind::input, "the stack is empty", where(), "make one with `ipamedgan prepare`");
  const auto type = images_->type();
  using enum NumberType;
  if (!type || (type != u8 && type != u16 && type != i16 && type != f32 && type != f64))
    fail(ErrorKind::input, "slices must be u8, u16, i16, f32 or f64", where(), "convert them, e.g. to f32");
  info_.type = *type;
  info_.count = shape[0], info_.height = shape[1], info_.width = shape[2];

  const auto check_count = [&](const char* name, size_t count) {
    if (count != info_.count)
      fail(ErrorKind::input, fmt::format("{} entries for {} slices", count, info_.count),
           fmt::format("{}: {}", file_.path().string(), name));
  };
  if (file_.exists("subject")) check_count("subject", (info_.subject = read_names(file_, "subject")).size());
  if (file_.exists("slice_index"))
    check_count("slice_index", (info_.slice_index = read_index(file_, "slice_index")).size());
  if (file_.exists("spacing"))
    for (const double mm : file_.read<double>("spacing")) info_.spacing.push_back(static_cast<float>(mm));
  info_.modality = text_attribute(file_, info_.dataset, "modality");
  info_.source = text_attribute(file_, info_.dataset, "source");
  for (const std::string& object : {info_.dataset, std::string("/")}) {
    if (info_.intensity_range || !file_.has_attribute(object, "intensity_range")) continue;
    const auto ends = file_.numbers(object, "intensity_range");
    if (ends.size() != 2 || !std::isfinite(ends[0]) || !std::isfinite(ends[1]) || !(ends[0] < ends[1]))
      fail(ErrorKind::input, "intensity_range must be two numbers in rising order", file_.path().string());
    info_.intensity_range = Range{ends[0], ends[1]};
  }
}

void StackReader::read(uint64_t first, uint64_t count, void* out) const {
  images_->read_rows(first, count, info_.type, out);
  const uint64_t pixels = info_.height * info_.width;
  const uint64_t bad = first_non_finite(info_.type, out, count * pixels);
  if (bad < count * pixels)
    fail(ErrorKind::input, fmt::format("slice {} holds a pixel that is NaN or infinite", first + bad / pixels), where(),
         "replace such pixels, e.g. by 0");
}

void StackReader::read_scaled(uint64_t first, uint64_t count, float* out) {
  buffer_.resize(count * slice_bytes());
  read(first, count, buffer_.data());
  const uint64_t pixels = info_.height * info_.width;
  for (uint64_t i = 0; i < count; ++i)
    scale(info_.type, buffer_.data() + i * slice_bytes(), pixels, range(first + i), out + i * pixels);
}

Range StackReader::range(uint64_t slice) {
  require(slice < info_.count, "stack: no such slice");
  if (info_.intensity_range) return *info_.intensity_range;
  if (info_.type == NumberType::u8) return {0, 255};
  const std::string subject = info_.subject.empty() ? "" : info_.subject[slice];
  if (const auto known = ranges_.find(subject); known != ranges_.end()) return known->second;

  const auto belongs = [&](uint64_t i) { return info_.subject.empty() || info_.subject[i] == subject; };
  const uint64_t pixels = info_.height * info_.width, most = std::max<uint64_t>(block_bytes / slice_bytes(), 1);
  std::vector<char> raw;
  std::vector<float> values;
  const Range found = minimum_and_percentile(99.5, [&](const auto& visit) {
    for (uint64_t first = 0; first < info_.count;) {
      uint64_t end = first;
      while (end < info_.count && end - first < most && belongs(end)) ++end;
      if (end > first) {
        raw.resize((end - first) * slice_bytes());
        values.resize((end - first) * pixels);
        read(first, end - first, raw.data());
        to_float(info_.type, raw.data(), values.size(), values.data());
        visit(values);
      }
      first = std::max(end, first + 1);
    }
  });
  return ranges_[subject] = found;
}

std::optional<StackReader> StackReader::companion(const std::string& name) {
  if (!file_.exists(name)) return {};
  StackReader other(file_, name);
  if (other.info_.count != info_.count || other.info_.height != info_.height || other.info_.width != info_.width)
    fail(ErrorKind::input, fmt::format("it does not have the shape of {}", info_.dataset), other.where());
  if (!info_.intensity_range && info_.type != NumberType::u8 && other.info_.type != NumberType::u8)
    for (uint64_t i = 0; i < (info_.subject.empty() ? 1 : info_.count); ++i) range(i);
  other.info_.intensity_range = info_.intensity_range;
  other.ranges_ = ranges_;
  return other;
}

StackWriter::StackWriter(const std::filesystem::path& goal, bool overwrite)
    : goal_(goal, overwrite), file_(hdf5::File::create(goal_.temporary())) {}

void StackWriter::declare(const std::string& name, NumberType type, const hdf5::Shape& shape) {
  require(shape.size() >= 3 && !arrays_.contains(name), "stack writer: bad array");
  hdf5::Storage storage{.chunk = shape, .extendible = shape[0] == 0};
  storage.chunk[0] = 1;
  arrays_.emplace(name, Array{file_.create_dataset(name, type, shape, storage), 0, shape[0] == 0});
}

void StackWriter::append(const std::string& name, uint64_t count, const void* slices) {
  require(arrays_.contains(name), "stack writer: array not declared");
  Array& array = arrays_.at(name);
  if (array.growing && count > 0) array.dataset.extend(array.filled + count);
  array.dataset.write_rows(array.filled, count, slices);
  array.filled += count;
}

void StackWriter::describe(const StackInfo& info) {
  if (!info.subject.empty()) file_.write_strings("subject", info.subject);
  if (!info.slice_index.empty()) file_.write<int32_t>("slice_index", info.slice_index, {info.slice_index.size()});
  if (!info.spacing.empty()) file_.write<float>("spacing", info.spacing, {info.spacing.size()});
  if (!info.modality.empty()) file_.set_text("/", "modality", info.modality);
  if (!info.source.empty()) file_.set_text("/", "source", info.source);
  if (info.intensity_range) {
    const double ends[] = {info.intensity_range->lo, info.intensity_range->hi};
    file_.set_numbers<double>("/", "intensity_range", ends);
  }
}

std::vector<std::string> StackWriter::copy_extras(const StackReader& source) {
  const ForeignFile& from = source.file();
  std::vector<std::string> left_out;
  const auto plain = [](const std::string& name) {
    return name.substr(std::min(name.find_first_not_of('/'), name.size()));
  };
  constexpr int most_groups = 1000,
                most_levels = 32;  // a hard link may lead back up, and must not be followed for ever
  int groups = 0;
  const auto copy = [&](const auto& self, const std::string& group) -> void {
    if (++groups > most_groups || std::ranges::count(group, '/') >= most_levels)
      fail(ErrorKind::input, "too many groups, or groups in a circle", from.path().string());
    for (const std::string& member : from.members(group.empty() ? "/" : group)) {
      const std::string name = group.empty() ? member : group + "/" + member;
      if (name == plain(source.info().dataset)) {
        if (arrays_.contains("images")) copy_attributes(from, name, file_, "images");
        continue;
      }
      if (from.is_group(name)) {
        if (!file_.exists(name)) file_.create_group(name);
        copy_attributes(from, name, file_, name);
        self(self, name);
      } else if (!file_.exists(name) && (!from.exists(name) || !copy_dataset(from, name, file_))) {
        left_out.push_back(name);
      }
    }
  };
  copy(copy, "");
  copy_attributes(from, "/", file_, "/");
  return left_out;
}

void StackWriter::commit() { close().commit(); }

AtomicFile& StackWriter::close() {
  for (const auto& [name, array] : arrays_)
    require(array.filled == array.dataset.shape()[0], "stack writer: not every slice was written");
  arrays_.clear();
  file_.close();
  return goal_;
}

}  // namespace ipa
