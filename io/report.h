// The report that people read: one HTML file that needs nothing else, no script, no network; light and dark.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/chart.h"
#include "io/png.h"

namespace ipa {

// Figures of methods in regions. The best mean of each metric in a region is marked.
struct FigureTable {
  struct Metric {
    std::string name;
    int decimals = 3;
    bool higher_is_better = true;
  };
  struct Figure {
    std::optional<double> mean, std;  // an infinite mean shows as such
  };
  std::vector<std::string> methods, regions;
  std::vector<Metric> metrics;
  std::vector<Figure> figures;  // (methods, regions, metrics), row-major
};

struct TextTable {  // the cells as they shall stand; columns whose cells are numbers are aligned to the right
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

struct ReportCase {
  std::string rank;                                          // worst, median, best
  std::string caption;                                       // which slice
  std::vector<std::pair<std::string, Image8>> panels;        // input, output, target, difference, change map
  std::vector<std::pair<std::string, std::string>> figures;  // name, value
};

struct Report {
  struct Highlight {
    std::string value, label, note;  // "24.1 dB", "PSNR in the mask", "corrupted input: 12.3 dB"
  };
  struct FalseChange {
    double rate = 0;       // share of the pixels of clean slices that were changed
    double threshold = 0;  // of the change map, in units of [-1, 1]
    int64_t slices = 0;
  };
  std::string title, subtitle;
  std::string notice = "Research use only. Synthesised content; not for diagnostic use.";
  std::vector<Highlight> highlights;
  std::optional<FigureTable> scores;
  std::optional<FalseChange> false_change;
  std::vector<ReportCase> cases;
  TextTable subjects;  // one row per subject
  std::vector<Chart> curves;
  std::vector<std::pair<std::string, std::string>> settings;  // key, value
  std::string footer;                                         // version, command, time
};

// Parts that are empty are left out.
std::string render_report(const Report& report);
void write_report(const std::filesystem::path& path, const Report& report, bool overwrite);  // atomically

}  // namespace ipa
