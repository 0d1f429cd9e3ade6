// The cp.async copies of one thread: performed at the wait only, so that a kernel which forgets it reads old content.
#pragma once

#include <cstddef>
#include <cstring>
#include <vector>

namespace ipa::emulation {

class AsyncCopies {
 public:
  void add(void* to, const void* from) { copies_.push_back({to, from}); }
  void commit() { group_ends_.push_back(copies_.size()); }

  // Performs the oldest groups, but for the `still_under_way` latest.
  void wait(std::size_t still_under_way) {
    if (group_ends_.size() <= still_under_way) return;
    const auto groups = static_cast<std::ptrdiff_t>(group_ends_.size() - still_under_way);
    const auto done = static_cast<std::ptrdiff_t>(group_ends_[static_cast<std::size_t>(groups) - 1]);
    for (std::ptrdiff_t i = 0; i < done; ++i) {
      const Copy& copy = copies_[static_cast<std::size_t>(i)];
      std::memcpy(copy.to, copy.from, 16);
    }
    copies_.erase(copies_.begin(), copies_.begin() + done);
    group_ends_.erase(group_ends_.begin(), group_ends_.begin() + groups);
    for (std::size_t& end : group_ends_) end -= static_cast<std::size_t>(done);
  }

  void clear() {
    copies_.clear();
    group_ends_.clear();
  }

 private:
  struct Copy {
    void* to;
    const void* from;
  };
  std::vector<Copy> copies_;
  std::vector<std::size_t> group_ends_;
};

}  // namespace ipa::emulation
