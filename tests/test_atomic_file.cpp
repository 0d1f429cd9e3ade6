#include "io/atomic_file.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>

#include "engine/error.h"

namespace fs = std::filesystem;

namespace {
struct TemporaryFolder {
  fs::path path = fs::temp_directory_path() / ("ipa_atomic_" + std::to_string(::getpid()));
  TemporaryFolder() { fs::create_directories(path); }
  ~TemporaryFolder() { fs::remove_all(path); }
};
std::string read(const fs::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}
}  // namespace

TEST_CASE("a file appears only when committed", "[io]") {
  TemporaryFolder folder;
  const fs::path goal = folder.path / "out";
  {
    ipa::AtomicFile file(goal, false);
    std::ofstream(file.temporary()) << "half";
  }
  CHECK(fs::is_empty(folder.path));
  ipa::write_file(goal, "whole");
  CHECK(read(goal) == "whole");
  CHECK_THROWS_WITH(ipa::write_file(goal, "other", false), Catch::Contains("--force"));
  CHECK(read(goal) == "whole");
}

TEST_CASE("temporaries of dead processes are swept, those of the living stay", "[io]") {
  TemporaryFolder folder;
  std::ofstream(folder.path / "a.tmp.4194999");  // above the kernel's largest pid
  std::ofstream(folder.path / ("b.tmp." + std::to_string(::getppid())));
  std::ofstream(folder.path / "c.tmp.x1");
  ipa::sweep_temporaries(folder.path);
  CHECK_FALSE(fs::exists(folder.path / "a.tmp.4194999"));
  CHECK(std::distance(fs::directory_iterator(folder.path), {}) == 2);
}

TEST_CASE("an output sweeps what a killed process left of it, and nothing else", "[io]") {
  TemporaryFolder folder;
  std::ofstream(folder.path / "out.tmp.4194999");
  std::ofstream(folder.path / "out.tmp.4194998.tmp.4194999");  // made under a temporary name itself
  std::ofstream(folder.path / "other.tmp.4194999");
  ipa::write_file(folder.path / "out", "x");
  CHECK(std::distance(fs::directory_iterator(folder.path), {}) == 2);
  CHECK(fs::exists(folder.path / "other.tmp.4194999"));
}

TEST_CASE("a link stays, the file behind it is replaced", "[io]") {
  TemporaryFolder folder;
  fs::create_directory(folder.path / "far");
  fs::create_symlink("far/file", folder.path / "near");  // leads nowhere yet
  fs::create_symlink("near", folder.path / "link");
  ipa::write_file(folder.path / "link", "x");
  ipa::write_file(folder.path / "link", "new");
  CHECK(fs::is_symlink(folder.path / "link"));
  CHECK(read(folder.path / "far/file") == "new");
  CHECK_THROWS_WITH(ipa::write_file(folder.path / "link", "y", false), Catch::Contains("--force"));
}

TEST_CASE("folders and devices are not replaced", "[io]") {
  TemporaryFolder folder;
  for (const fs::path& goal : {folder.path, fs::path("/dev/full")}) {
    try {
      ipa::write_file(goal, "x");
      FAIL("did not throw");
    } catch (const ipa::Error& e) {
      CHECK(e.exit_code() == 4);
      CHECK_THAT(e.what(), Catch::Contains(goal.string()));
    }
  }
  CHECK(fs::is_character_file("/dev/full"));
}

TEST_CASE("a missing folder is an I/O error with a hint", "[io]") {
  try {
    ipa::write_file("/nowhere/at/all", "x");
    FAIL("did not throw");
  } catch (const ipa::Error& e) {
    CHECK(e.exit_code() == 4);
    CHECK_THAT(e.what(), Catch::Contains("create it first"));
  }
}
