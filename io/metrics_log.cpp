#include "io/metrics_log.h"

#include <fcntl.h>
#include <fmt/core.h>

#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>

#include "engine/error.h"
#include "io/atomic_file.h"

namespace fs = std::filesystem;

namespace ipa {
namespace {

std::optional<int64_t> step_of(std::string_view row) {
  int64_t step = 0;
  const auto [end, error] = std::from_chars(row.data(), row.data() + row.size(), step);
  return error == std::errc() && end != row.data() + row.size() && *end == ',' ? std::optional(step) : std::nullopt;
}

// The header and the whole rows up to `last`. A killed process may have left half a row at the end.
std::string kept(std::string_view text, const std::string& header, int64_t last, const fs::path& path) {
  if (!text.starts_with(header)) {
    if (text.find('\n') == text.npos) return header;
    fail(ErrorKind::input, "the columns differ from those of this program", path.string(),
         "move the file away to go on");
  }
  size_t end = header.size();
  for (size_t stop; (stop = text.find('\n', end)) != text.npos; end = stop + 1) {
    const std::optional<int64_t> step = step_of(text.substr(end, stop - end));
    if (!step || *step > last) break;
  }
  return std::string(text.substr(0, end));
}

// Makes the file hold what is kept of it.
Descriptor open_log(const fs::path& path, const std::vector<std::string>& columns, int64_t resumed_step) {
  std::string header = "step", before;
  for (const std::string& column : columns) header += ',' + column;
  header += '\n';
  if (fs::exists(path)) {
    std::ifstream in(path, std::ios::binary);
    if (!in) fail_errno("cannot open", path);
    before.assign(std::istreambuf_iterator<char>(in), {});
    if (in.bad()) fail_errno("cannot read", path);
  }
  const std::string now = kept(before, header, resumed_step, path);
  if (now != before) write_file(path, now);
  return Descriptor(path, O_WRONLY | O_APPEND);
}

}  // namespace

MetricsLog::MetricsLog(const fs::path& path, const std::vector<std::string>& columns, int64_t resumed_step)
    : columns_(columns.size()), file_(open_log(path, columns, resumed_step)) {}

void MetricsLog::append(int64_t step, std::span<const double> values) {
  require(values.size() == columns_, "metrics log: one value per column");
  std::string row = fmt::format("{}", step);
  for (double value : values) fmt::format_to(std::back_inserter(row), ",{}", value);
  file_.write(row += '\n');
}

}  // namespace ipa
