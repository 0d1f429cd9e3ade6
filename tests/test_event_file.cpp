#include "io/event_file.h"

#include <catch2/catch.hpp>
#include <cstdlib>

#include "tests/support/bytes.h"
#include "tests/support/temporary_folder.h"

using Values = std::vector<std::pair<std::string, double>>;

namespace {
std::string run(const std::string& command, const std::filesystem::path& out) {
  REQUIRE(std::system((command + " > '" + out.string() + "'").c_str()) == 0);
  return read_bytes(out);
}
}  // namespace

TEST_CASE("CRC-32C: the vectors of RFC 3720", "[io]") {
  CHECK(ipa::crc32c("123456789") == 0xe3069283);
  CHECK(ipa::crc32c("") == 0);
  CHECK(ipa::crc32c(std::string(32, '\0')) == 0x8a9136aa);
  CHECK(ipa::crc32c(std::string(32, '\xff')) == 0x62a8ab43);
}

TEST_CASE("an independent decoder reads what was written, before the file is closed", "[io]") {
  TemporaryFolder folder;
  ipa::EventFile events(folder.path, 41);
  events.scalars(41, Values{{"loss/l1", 0.25}, {"loss/total", -3e10}});
  events.image(300, "sample", {2, 3, 3, std::vector<uint8_t>(18, 200)});
  CHECK_THAT(events.path().filename().string(),
             Catch::Matches("events\\.out\\.tfevents\\.[0-9]{10}\\..+\\.[0-9]+\\.[0-9]+"));
  const std::string command =
      "'" IPA_PYTHON "' '" IPA_TEST_DIR "/support/read_events.py' '" + events.path().string() + "'";
  CHECK(run(command, folder / "out") == R"({"step": 0, "version": "brain.Event:2"}
{"step": 41, "session": 1}
{"step": 41, "values": [{"tag": "loss/l1", "scalar": 0.25}, {"tag": "loss/total", "scalar": -30000001024.0}]}
{"step": 300, "values": [{"tag": "sample", "image": [2, 3, 3, "89504e470d0a1a0a"]}]}
)");
}

TEST_CASE("a name that another process took is left to it", "[io]") {
  TemporaryFolder folder;
  const std::string first = ipa::EventFile(folder.path, 1).path().filename().string();
  const size_t time = first.find("events.") + std::string("events.out.tfevents.").size(), last = first.rfind('.') + 1;
  const std::string middle = first.substr(time + 10, last - time - 10);
  for (int seconds = 0; seconds < 5; ++seconds)  // as a start within the same second, with our process number, would
    write_bytes(folder / ("events.out.tfevents." + std::to_string(std::stoll(first.substr(time, 10)) + seconds) +
                          middle + std::to_string(std::stoi(first.substr(last)) + 1)),
                "theirs");
  CHECK(read_bytes(ipa::EventFile(folder.path, 1).path()) != "theirs");
}

TEST_CASE("TensorBoard's own reader joins the files of an interrupted run", "[io]") {
  const char* interpreter = std::getenv("IPA_TENSORBOARD_PYTHON");
  if (!interpreter) {
    WARN("skipped: set IPA_TENSORBOARD_PYTHON to a Python that imports tensorboard");
    return;
  }
  TemporaryFolder folder;
  ipa::EventFile first(folder.path, 1);
  for (int64_t step = 1; step <= 5; ++step) first.scalars(step, Values{{"loss/l1", 1}});
  first.image(5, "sample", {2, 3, 1, std::vector<uint8_t>(6, 9)});
  ipa::EventFile second(folder.path, 4);  // resumed from step 3
  for (int64_t step = 4; step <= 6; ++step) second.scalars(step, Values{{"loss/l1", 2}});
  write_bytes(folder / "read.py", R"(
import sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
e = EventAccumulator(sys.argv[1])
e.Reload()
print([(s.step, s.value) for s in e.Scalars("loss/l1")], [(i.step, i.width, i.height) for i in e.Images("sample")])
)");
  const std::string command =
      std::string("'") + interpreter + "' '" + (folder / "read.py").string() + "' '" + folder.path.string() + "'";
  CHECK(run(command, folder / "out") == "[(1, 1.0), (2, 1.0), (3, 1.0), (4, 2.0), (5, 2.0), (6, 2.0)] []\n");
}
