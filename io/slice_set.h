// Slices of one or more stacks in memory, to train or validate with.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace ipa {

class SliceSet {
 public:
  // Reads every slice of the stacks. Throws ErrorKind::input where a stack is empty or its slices are not size x size
  // (naming `prepare --size`), and what StackReader throws.
  SliceSet(const std::vector<std::filesystem::path>& stacks, std::int64_t size);

  std::int64_t count() const { return static_cast<std::int64_t>(subjects_.size()); }
  std::int64_t size() const { return size_; }
  std::int64_t pixels() const { return size_ * size_; }
  const std::string& subject(std::int64_t slice) const { return subjects_[static_cast<std::size_t>(slice)]; }  // or ""
  const std::string& fingerprint() const { return fingerprint_; }  // of pixels, ranges, subjects and order

  void scaled(std::int64_t slice, std::span<float> out) const;  // in [-1, 1]

  // All slices one behind another: grey levels where every stack holds u8 in 0..255, else numbers in [-1, 1]. One of
  // the two is empty.
  std::span<const std::uint8_t> grey() const { return grey_; }
  std::span<const float> scaled() const { return scaled_; }

 private:
  std::int64_t size_;
  std::vector<std::uint8_t> grey_;
  std::vector<float> scaled_;
  std::vector<std::string> subjects_;
  std::string fingerprint_;
};

// Subjects that both have, sorted; slices without a subject do not count.
std::vector<std::string> shared_subjects(const SliceSet& a, const SliceSet& b);

}  // namespace ipa
