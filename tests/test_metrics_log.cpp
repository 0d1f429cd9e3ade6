#include "io/metrics_log.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "engine/error.h"
#include "tests/support/bytes.h"
#include "tests/support/temporary_folder.h"

namespace {
void steps(ipa::MetricsLog& log, int64_t first, int64_t last) {
  for (int64_t s = first; s <= last; ++s)
    log.append(s, std::vector<double>{1.0 / static_cast<double>(s), std::sqrt(2.0 * static_cast<double>(s))});
}
const std::vector<std::string> columns = {"l1", "total"};
}  // namespace

TEST_CASE("metrics.csv of an interrupted run equals that of an uninterrupted one", "[io]") {
  TemporaryFolder folder;
  {
    ipa::MetricsLog log(folder / "whole.csv", columns, 0);
    steps(log, 1, 20);
  }
  const std::string whole = read_bytes(folder / "whole.csv");
  CHECK_THAT(whole, Catch::StartsWith("step,l1,total\n1,1,1.4142135623730951\n2,0.5,2\n"));
  for (int64_t killed_after : {10, 13, 19})
    for (const std::string litter : {"", "1", "14,0.0714", "14,0.07142857142857142,5.2915"}) {
      const auto path = folder / "part.csv";
      write_bytes(path, "");
      {
        ipa::MetricsLog log(path, columns, 0);
        steps(log, 1, killed_after);
      }
      write_bytes(path, read_bytes(path) + litter);
      ipa::MetricsLog log(path, columns, 10);
      steps(log, 11, 20);
      log.sync();
      CHECK(read_bytes(path) == whole);
    }
}

TEST_CASE("a half-written header is begun again, other columns are an error", "[io]") {
  TemporaryFolder folder;
  write_bytes(folder / "m.csv", "step,l1,to");
  { ipa::MetricsLog log(folder / "m.csv", columns, 0); }
  CHECK(read_bytes(folder / "m.csv") == "step,l1,total\n");
  CHECK_THROWS_WITH(ipa::MetricsLog(folder / "m.csv", {"l1", "style"}, 5), Catch::Contains("columns differ"));
  CHECK(read_bytes(folder / "m.csv") == "step,l1,total\n");
}

TEST_CASE("losses that are no numbers are written as such, wrong counts are our defect", "[io]") {
  TemporaryFolder folder;
  ipa::MetricsLog log(folder / "m.csv", columns, 0);
  log.append(1, std::vector<double>{NAN, -INFINITY});
  CHECK(read_bytes(folder / "m.csv") == "step,l1,total\n1,nan,-inf\n");
  CHECK_THROWS_AS(log.append(2, std::vector<double>{1}), ipa::Error);
}
