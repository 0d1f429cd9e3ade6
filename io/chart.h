// Curves over training steps as inline SVG, coloured by the style sheet of the page (classes s0..s5).
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace ipa {

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  // (step, value), by step; those that are not finite are left out
};

struct Chart {
  std::string title;
  std::vector<Series> series;  // up to 6
  bool logarithmic = false;    // values that are not positive are left out
};

// Long series show as the mean of each of some 240 intervals, with a band from its least to its greatest value.
std::string render_chart(const Chart& chart);

}  // namespace ipa
