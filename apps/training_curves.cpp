#include "apps/training_curves.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>

#include "engine/error.h"
#include "io/atomic_file.h"

namespace ipa {
namespace {

std::vector<std::string> fields(const std::string& line) {
  std::vector<std::string> parts(1);
  for (const char c : line) c == ',' ? parts.emplace_back() : parts.back() += c;
  return parts;
}

bool all_zero(const Series& series) {
  return std::all_of(series.points.begin(), series.points.end(), [](const auto& p) { return p.second == 0; });
}

}  // namespace

std::vector<Chart> training_curves(const std::filesystem::path& run_folder) {
  const std::filesystem::path path = run_folder / "metrics.csv";
  if (!std::filesystem::exists(path)) return {};
  std::ifstream in(path);
  if (!in) fail_errno("cannot open", path);
  std::string line;
  std::getline(in, line);
  const std::vector<std::string> columns = fields(line);
  std::vector<Series> series;
  for (const std::string& column : columns) series.push_back({column, {}});
  for (int number = 2; std::getline(in, line); ++number) {
    const std::vector<std::string> cells = fields(line);
    std::vector<double> values;
    for (const std::string& cell : cells) {
      char* end = nullptr;
      values.push_back(std::strtod(cell.c_str(), &end));
      if (cell.empty() || *end != '\0') values.clear();
      if (values.empty()) break;
    }
    if (values.size() != columns.size()) {
      if (in.eof()) break;  // a row that is just being written
      fail(ErrorKind::input, fmt::format("line {} is not a row of numbers", number), path.string(),
           "move the file away to go without curves");
    }
    for (std::size_t c = 1; c < values.size(); ++c) series[c].points.emplace_back(values[0], values[c]);
  }

  const auto chart = [&](const char* title, std::initializer_list<const char*> names, bool logarithmic) {
    Chart result{title, {}, logarithmic};
    for (const char* name : names)
      for (const Series& s : series)
        if (s.name == name && !s.points.empty() && !(logarithmic && all_zero(s))) result.series.push_back(s);
    return result;
  };
  std::vector<Chart> charts{
      chart("Generator's losses", {"total", "perceptual", "l1", "adversarial", "style", "hole"}, true),
      chart("Discriminators' losses", {"d_global", "d_patch"}, false),
      chart("Norm of the generator's gradient", {"grad_norm_g"}, true),
      chart("Images a second", {"images_per_s"}, false),
  };
  std::erase_if(charts, [](const Chart& c) { return c.series.empty(); });
  return charts;
}

}  // namespace ipa
