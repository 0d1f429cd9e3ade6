// Of repeated measurements.
#pragma once

#include <algorithm>
#include <vector>

namespace ipa::bench {

inline double quantile(std::vector<double> v, double share) {  // share 0.5: the median, of an even number the greater
  const auto at = std::min(v.size() - 1, static_cast<std::size_t>(share * static_cast<double>(v.size())));
  std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(at), v.end());
  return v[at];
}
inline double median(std::vector<double> v) { return quantile(std::move(v), 0.5); }

}  // namespace ipa::bench
