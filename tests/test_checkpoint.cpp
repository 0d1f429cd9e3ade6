#include "io/checkpoint.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "engine/error.h"
#include "io/run_folder.h"
#include "io/seal.h"
#include "tests/support/bytes.h"
#include "tests/support/python.h"
#include "tests/support/temporary_folder.h"

namespace fs = std::filesystem;

// HDF5 1.10 itself leaks where it refuses a damaged object header; without a leak sanitizer nobody calls this.
extern "C" const char* __lsan_default_suppressions() { return "leak:libhdf5"; }

namespace {

ipa::Checkpoint sample(int64_t step) {
  ipa::Checkpoint c;
  c.step = step;
  c.epoch = 3;
  c.sample = 16;
  c.ranks = 4;
  c.settings = "[train]\nseed = 0  # é\n";
  c.fingerprint = "0123456789abcdef";
  c.version = "0.1.0";
  c.created = ipa::creation_info();
  c.score = 19.5 + static_cast<double>(step);
  c.calibration = {{"change_threshold", 0.0875}};
  c.weights = {{"generator.1.up6.weight", {2, 3, 2, 2}, std::vector<float>(24, 0.1f)},
               {"generator.0.head.bias", {1}, {-0.f}}};
  c.adam = {{"generator", 12, {1, 2, 3}, {4, 5, 6e-41f}}, {"disc_patch", 13, {0}, {1}}};
  return c;
}

std::string refusal(const fs::path& path) {
  try {
    ipa::read_checkpoint(path);
  } catch (const ipa::Error& e) {
    CHECK(e.exit_code() == 3);
    CHECK_THAT(e.what(), Catch::Contains(path.string()));
    return e.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("a checkpoint is read as it was written, also with nothing in it", "[io]") {
  TemporaryFolder folder;
  ipa::Checkpoint checkpoint = sample(7);
  ipa::write_checkpoint(folder / "c.h5", checkpoint);
  CHECK(ipa::read_checkpoint(folder / "c.h5") == checkpoint);
  checkpoint.adam.clear();
  CHECK(ipa::read_checkpoint(folder / "c.h5", false) == checkpoint);
  ipa::write_checkpoint(folder / "c.h5", {});
  CHECK(ipa::read_checkpoint(folder / "c.h5") == ipa::Checkpoint{});
  CHECK(std::distance(fs::directory_iterator(folder.path), {}) == 1);
}

TEST_CASE("a checkpoint of many weights and long settings", "[io]") {
  TemporaryFolder folder;
  ipa::Checkpoint checkpoint = sample(7);
  checkpoint.settings = std::string(200000, '#');
  for (int i = 0; i < 1500; ++i)
    checkpoint.weights.push_back(
        {"generator.0.path" + std::to_string(1500 - i) + ".bn.running_mean", {2}, {static_cast<float>(i), 1}});
  ipa::write_checkpoint(folder / "c.h5", checkpoint);
  CHECK(ipa::read_checkpoint(folder / "c.h5") == checkpoint);
}

TEST_CASE("h5py reads a checkpoint by the names of the contract", "[io]") {
  TemporaryFolder folder;
  ipa::write_checkpoint(folder / "c.h5", sample(7));
  CHECK(python(folder.path, R"(
import h5py, numpy as np
f = h5py.File("c.h5", "r")
w = f["weights/generator.1.up6.weight"]
assert w.shape == (2, 3, 2, 2) and w.dtype == np.float32 and (w[:] == np.float32(0.1)).all() and w.fletcher32
assert f.attrs["step"] == 7 and f.attrs["score"] == 26.5 and f["calibration"].attrs["change_threshold"] == 0.0875
text = lambda value: value.decode() if isinstance(value, bytes) else value
assert text(f.attrs["settings"]) == "[train]\nseed = 0  # é\n"
assert (f["adam/generator/m"][:] == [1, 2, 3]).all() and f["adam/generator"].attrs["steps"] == 12
assert [n.decode() for n in f["weight_names"]] == ["generator.1.up6.weight", "generator.0.head.bias"]
)"));
}

TEST_CASE("damage anywhere in a checkpoint is refused by the file's name", "[io]") {
  TemporaryFolder folder;
  ipa::write_checkpoint(folder / "c.h5", sample(7));
  const std::string good = read_bytes(folder / "c.h5");
  const fs::path path = folder / "damaged.h5";
  int tried = 0;
  for (size_t i = 0; i < good.size(); i += 3, ++tried) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ (1 << i % 8));
    fs::remove(path);  // some file systems flush what is truncated and written anew
    write_bytes(path, bad);
    REQUIRE(refusal(path) != "accepted");
  }
  for (size_t size = 0; size < good.size(); size += 3, ++tried) {
    fs::remove(path);
    write_bytes(path, good.substr(0, size));
    REQUIRE(refusal(path) != "accepted");
  }
  CHECK(tried > 2000);
  write_bytes(path, good + "x");
  CHECK_THAT(refusal(path), Catch::Contains("does not end in our seal"));
  write_bytes(path, good.substr(0, good.size() / 2) + std::string(good.size() - good.size() / 2, '\0'));
  CHECK_THAT(refusal(path), Catch::Contains("seal"));
}

TEST_CASE("behind a forged seal HDF5's checksums still refuse damage", "[io]") {
  TemporaryFolder folder;
  const ipa::Checkpoint checkpoint = sample(7);
  ipa::write_checkpoint(folder / "c.h5", checkpoint);
  std::string good = read_bytes(folder / "c.h5");
  good.resize(good.size() - 64);
  const fs::path path = folder / "forged.h5";
  int refused = 0, tried = 0;
  for (size_t i = 0; i < good.size(); i += 5, ++tried) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ (1 << i % 8));
    fs::remove(path);
    write_bytes(path, bad);
    ipa::seal_file(path);
    try {
      const bool same = ipa::read_checkpoint(path) == checkpoint;
      REQUIRE(same);  // a byte that nothing uses
    } catch (const ipa::Error& e) {
      REQUIRE(e.exit_code() == 3);
      ++refused;
    }
  }
  CHECK(refused > tried / 3);
}

TEST_CASE("a sealed file that is no checkpoint is refused too", "[io]") {
  TemporaryFolder folder;
  REQUIRE(python(folder.path, R"(
import h5py
with h5py.File("other.h5", "w", libver="latest") as f: f["images"] = [1, 2]
)"));
  CHECK_THAT(refusal(folder / "other.h5"), Catch::Contains("seal"));
  ipa::seal_file(folder / "other.h5");
  CHECK_THAT(refusal(folder / "other.h5"), Catch::Contains("format"));
}

TEST_CASE("a full disk leaves the old checkpoint and no litter", "[io]") {
  TemporaryFolder folder;
  const ipa::Checkpoint old = sample(7);
  ipa::write_checkpoint(folder / "c.h5", old);
  ipa::Checkpoint large = sample(8);
  large.weights.push_back({"large", {1 << 20}, std::vector<float>(1 << 20)});
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit most{1 << 20, 1 << 20};
    ::signal(SIGXFSZ, SIG_IGN);
    ::setrlimit(RLIMIT_FSIZE, &most);
    int code = 0;
    try {
      ipa::write_checkpoint(folder / "c.h5", large);
    } catch (const ipa::Error& e) {
      code = e.exit_code();
    }
    ::_exit(code);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 4);
  CHECK(ipa::read_checkpoint(folder / "c.h5") == old);
  CHECK(std::distance(fs::directory_iterator(folder.path), {}) == 1);
}

TEST_CASE("the newest valid checkpoint is taken; damaged ones are named", "[io]") {
  TemporaryFolder folder;
  std::vector<std::string> warnings;
  const ipa::Warn warn = [&](const std::string& text) { warnings.push_back(text); };
  CHECK_FALSE(ipa::load_latest(folder.path, warn));
  for (int64_t step : {900, 1000, 2000}) ipa::write_checkpoint(ipa::checkpoint_path(folder.path, step), sample(step));
  for (const char* other :
       {"checkpoint_02000.h5", "checkpoint_.h5", "checkpoint_-5.h5", "checkpoint_3000.h5.tmp.77", "lock"})
    write_bytes(folder / other, "");
  CHECK(ipa::find_checkpoints(folder.path).size() == 3);
  CHECK(ipa::load_latest(folder.path, warn)->step == 2000);
  CHECK(warnings.empty());
  fs::resize_file(folder / "checkpoint_2000.h5", 1000);
  CHECK(ipa::load_latest(folder.path, warn)->step == 1000);
  REQUIRE(warnings.size() == 1);
  CHECK_THAT(warnings[0], Catch::Contains((folder / "checkpoint_2000.h5").string()));
  for (const auto& file : ipa::find_checkpoints(folder.path)) write_bytes(file.path, "");
  CHECK_THROWS_WITH(ipa::load_latest(folder.path, warn), Catch::Contains("every checkpoint of the run is damaged"));
}

TEST_CASE("pruning keeps the newest up to the step just saved", "[io]") {
  TemporaryFolder folder;
  for (int64_t step : {9, 10, 200, 1000, 5000}) write_bytes(ipa::checkpoint_path(folder.path, step), "");
  ipa::prune_checkpoints(folder.path, 1000, 2);
  std::vector<int64_t> left;
  for (const auto& file : ipa::find_checkpoints(folder.path)) left.push_back(file.step);
  CHECK(left == std::vector<int64_t>{200, 1000, 5000});
}

TEST_CASE("a model is a file, or a folder's best, or its newest checkpoint", "[io]") {
  TemporaryFolder folder;
  const ipa::Warn silent = [](const std::string&) {};
  CHECK_THROWS_WITH(ipa::load_model(folder.path, silent), Catch::Contains("no checkpoint in the run folder"));
  CHECK_THROWS_WITH(ipa::load_model(folder / "absent.h5", silent), Catch::Contains("check the path"));
  CHECK_FALSE(ipa::best_score(folder.path));
  for (int64_t step : {5, 10}) ipa::write_checkpoint(ipa::checkpoint_path(folder.path, step), sample(step));
  CHECK(ipa::load_model(folder.path, silent).step == 10);
  ipa::write_checkpoint(ipa::best_path(folder.path), sample(5));
  CHECK(ipa::load_model(folder.path, silent).step == 5);
  CHECK(ipa::best_score(folder.path) == 24.5);
  CHECK(ipa::load_model(folder / "checkpoint_10.h5", silent).step == 10);
  write_bytes(ipa::best_path(folder.path), "");
  CHECK_THROWS_WITH(ipa::load_model(folder.path, silent), Catch::Contains("best.h5"));
}
