// metrics.csv: a header, then one row per step. A resumed run first drops the rows after its checkpoint, so that the
// file of an interrupted run equals that of an uninterrupted one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "io/descriptor.h"

namespace ipa {

class MetricsLog {
 public:
  // The first column is `step`, `columns` are the others. Keeps the whole rows of an existing file up to `resumed_step`
  // (0: none). Throws ErrorKind::input where its header differs, ErrorKind::io.
  MetricsLog(const std::filesystem::path& path, const std::vector<std::string>& columns, int64_t resumed_step);

  void append(int64_t step,
              std::span<const double> values);  // one per column; written at once, shortest exact decimals
  void sync() { file_.sync(); }                 // makes the rows durable; call it before a checkpoint is written

 private:
  size_t columns_;
  Descriptor file_;
};

}  // namespace ipa
