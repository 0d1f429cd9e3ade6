#include "io/slice_set.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "engine/error.h"
#include "io/fingerprint.h"
#include "io/stack.h"

namespace ipa {
namespace {

bool is_grey(const StackInfo& info) {
  return info.type == NumberType::u8 &&
         (!info.intensity_range || (info.intensity_range->lo == 0 && info.intensity_range->hi == 255));
}

constexpr float grey_to_scaled(std::uint8_t v) { return 2.0f * static_cast<float>(v) / 255.0f - 1.0f; }

}  // namespace

SliceSet::SliceSet(const std::vector<std::filesystem::path>& stacks, std::int64_t size) : size_(size) {
  // Opened one at a time, twice: each open stack has a process of its own.
  bool grey = true;
  std::uint64_t count = 0;
  for (const auto& path : stacks) {
    const StackReader reader(path);
    const StackInfo& info = reader.info();
    if (info.count == 0)
      fail(ErrorKind::input, "the stack holds no slice", path.string(), "make one with `ipamedgan prepare`");
    if (info.height != static_cast<std::uint64_t>(size) || info.width != static_cast<std::uint64_t>(size))
      fail(ErrorKind::input, fmt::format("slices of {}x{} where data.size is {}", info.height, info.width, size),
           path.string(), fmt::format("make a stack with `ipamedgan prepare --size {}`, or set data.size", size));
    grey &= is_grey(info);
    count += info.count;
  }
  const auto per_slice = static_cast<std::size_t>(pixels());
  if (grey)
    grey_.resize(count * per_slice);
  else
    scaled_.resize(count * per_slice);
  Fingerprint print;
  print.number(size);
  std::size_t next = 0;
  for (const auto& path : stacks) {
    StackReader reader(path);
    const StackInfo& info = reader.info();
    if (is_grey(info) < grey || info.height * info.width != per_slice || info.count > count - next)
      fail(ErrorKind::input, "the stack changed while it was read", path.string());
    for (std::uint64_t i = 0; i < info.count; ++i, ++next) {
      if (grey) {
        reader.read(i, 1, grey_.data() + next * per_slice);
        print.values(std::span<const std::uint8_t>(grey_).subspan(next * per_slice, per_slice));
      } else {
        reader.read_scaled(i, 1, scaled_.data() + next * per_slice);
        print.values(std::span<const float>(scaled_).subspan(next * per_slice, per_slice));
      }
      subjects_.push_back(info.subject.empty() ? std::string() : info.subject[i]);
      print.text(subjects_.back());
    }
  }
  fingerprint_ = print.hex();
}

void SliceSet::scaled(std::int64_t slice, std::span<float> out) const {
  const auto n = static_cast<std::size_t>(pixels()), first = static_cast<std::size_t>(slice) * n;
  require(out.size() == n && slice >= 0 && slice < count(), "slice set: wrong slice or size");
  if (grey_.empty())
    std::copy_n(scaled_.begin() + static_cast<std::ptrdiff_t>(first), n, out.begin());
  else
    std::transform(grey_.begin() + static_cast<std::ptrdiff_t>(first),
                   grey_.begin() + static_cast<std::ptrdiff_t>(first + n), out.begin(), grey_to_scaled);
}

std::vector<std::string> shared_subjects(const SliceSet& a, const SliceSet& b) {
  auto names = [](const SliceSet& s) {
    std::set<std::string> all;
    for (std::int64_t i = 0; i < s.count(); ++i)
      if (!s.subject(i).empty()) all.insert(s.subject(i));
    return all;
  };
  const std::set<std::string> of_a = names(a), of_b = names(b);
  std::vector<std::string> both;
  std::set_intersection(of_a.begin(), of_a.end(), of_b.begin(), of_b.end(), std::back_inserter(both));
  return both;
}

}  // namespace ipa
