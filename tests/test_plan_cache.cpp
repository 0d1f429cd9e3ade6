// The choice among plans, and the cache that keeps it.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <limits>

#include "kernels/plan_cache.h"
#include "tests/support/temporary_folder.h"

using namespace ipa;
namespace fs = std::filesystem;

namespace {

constexpr PlanLimits limits{1000, 0.02};

// Candidates as they would be seen; none: cannot be built.
PlanChoice choose(const std::vector<std::optional<PlanTrial>>& trials, int most = 8, int* tried = nullptr) {
  return choose_plan(static_cast<int>(trials.size()), most, limits, [&](int i, std::string& why_not) {
    const auto& trial = trials[static_cast<std::size_t>(i)];
    if (!trial) why_not = "does not build";
    if (tried) ++*tried;
    return trial;
  });
}

std::string content(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void write(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

std::size_t files(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

// Sets an environment variable for one scope; null: unset.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    value ? setenv(name, value, 1) : unsetenv(name);
  }
  ~Environment() { old_ ? setenv(name_, old_->c_str(), 1) : unsetenv(name_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
  std::optional<std::string> old_;
};

}  // namespace

TEST_CASE("the fastest sound plan is chosen") {
  const PlanTrial slow{.milliseconds = 3}, fast{.milliseconds = 1}, middle{.milliseconds = 2};
  CHECK(choose({slow, fast, middle}).index == 1);
  CHECK(choose({fast, fast}).index == 0);  // the heuristic's order decides between equals
  CHECK(choose({std::nullopt, slow}).index == 1);
  CHECK(choose({}).index == -1);
}

TEST_CASE("a plan that is wrong is not chosen, however fast") {
  const PlanTrial sound{.workspace_bytes = 1000, .error = 0.02, .worst = 0.2, .milliseconds = 5};
  PlanTrial other{.milliseconds = 1};
  const double nan = std::numeric_limits<double>::quiet_NaN();
  SECTION("too much workspace") { other.workspace_bytes = 1001; }
  SECTION("inexact") { other.error = 0.021; }
  SECTION("NaN error") { other.error = nan; }
  SECTION("one bad element") { other.worst = 0.21; }
  SECTION("one NaN element") { other.worst = nan; }
  SECTION("loses NaNs") { other.keeps_nan = false; }
  SECTION("not deterministic") { other.repeats = false; }
  const PlanChoice choice = choose({other, sound, other});
  CHECK(choice.index == 1);
  CHECK(choice.refused.size() == 2);
  CHECK(choose({other}).index == -1);
}

TEST_CASE("only so many plans are tried; those that do not build do not count") {
  int tried = 0;
  const PlanTrial t{.milliseconds = 2}, late{.milliseconds = 1};
  const PlanChoice choice = choose({std::nullopt, t, t, late}, 2, &tried);
  CHECK(choice.index == 1);
  CHECK(tried == 3);
  CHECK(choice.refused == std::vector<std::string>{"candidate 0: does not build"});
}

TEST_CASE("a kept plan is found under its key alone, and outlives the process") {
  const TemporaryFolder folder;
  const fs::path place = folder.path / "deep" / "plans";
  const std::string plan = std::string("{\"a\": 1}\nsecond line\n\0end", 25);
  CHECK_FALSE(PlanCache(place).find("cuDNN 91900, sm 90: conv"));
  CHECK(PlanCache(place).keep("cuDNN 91900, sm 90: conv", plan) == plan);
  CHECK(PlanCache(place).find("cuDNN 91900, sm 90: conv") == plan);
  CHECK_FALSE(PlanCache(place).find("cuDNN 92000, sm 90: conv"));
  CHECK(files(place) == 1);  // no temporary file is left
  PlanCache(place).forget("cuDNN 91900, sm 90: conv");
  CHECK_FALSE(PlanCache(place).find("cuDNN 91900, sm 90: conv"));
}

TEST_CASE("whoever keeps a plan first decides") {
  const TemporaryFolder folder;
  const PlanCache cache{folder.path};
  CHECK(cache.keep("key", "first") == "first");
  CHECK(cache.keep("key", "second") == "first");
  CHECK(cache.find("key") == "first");
}

TEST_CASE("damaged and foreign entries count as absent and are replaced") {
  const TemporaryFolder folder;
  const PlanCache cache{folder.path};
  cache.keep("key", "a plan of some length");
  const std::string good = content(cache.path("key"));
  const auto rejects = [&](const std::string& text) {
    write(cache.path("key"), text);
    CHECK_FALSE(cache.find("key"));
  };
  for (std::size_t length = 0; length < good.size(); ++length) rejects(good.substr(0, length));
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string flipped = good;
    flipped[i] = static_cast<char>(flipped[i] ^ 1);
    rejects(flipped);
  }
  rejects(good + "x");
  cache.keep("other key", "a plan");
  rejects(content(cache.path("other key")));  // sound, but of another key
  CHECK(cache.keep("key", "new") == "new");
  CHECK(cache.find("key") == "new");
}

TEST_CASE("where nothing can be written the plan is used all the same") {
  const TemporaryFolder folder;
  const fs::path blocked = folder.path / "file";
  write(blocked, "not a folder");
  CHECK(PlanCache(blocked).keep("key", "plan") == "plan");
  CHECK_FALSE(PlanCache(blocked).find("key"));
  const PlanCache unreadable{folder.path};
  fs::create_directories(unreadable.path("key"));  // a folder where the file should be
  CHECK_FALSE(unreadable.find("key"));
  CHECK(unreadable.keep("key", "plan") == "plan");
}

TEST_CASE("processes that keep different plans at once agree on one") {
  const TemporaryFolder folder;
  const PlanCache cache{folder.path};
  for (int round = 0; round < 20; ++round) {
    const std::string key = "key " + std::to_string(round);
    std::vector<pid_t> children;
    for (int child = 0; child < 4; ++child) {
      children.push_back(fork());
      if (children.back() == 0) {
        const std::string kept = cache.keep(key, std::string(5000, static_cast<char>('a' + child)));
        _exit(kept == cache.find(key) ? 0 : 1);
      }
    }
    for (const pid_t child : children) {
      int status = -1;
      waitpid(child, &status, 0);
      CHECK(status == 0);
    }
  }
  CHECK(files(folder.path) == 20);
}

TEST_CASE("the cache folder follows the environment") {
  const Environment home("HOME", "/home/someone");
  const Environment xdg("XDG_CACHE_HOME", "/caches"), own("IPAMEDGAN_CACHE", "/plans");
  CHECK(cache_folder() == "/plans");
  const Environment no_own("IPAMEDGAN_CACHE", nullptr);
  CHECK(cache_folder() == "/caches/ipamedgan");
  const Environment empty_xdg("XDG_CACHE_HOME", "");
  CHECK(cache_folder() == "/home/someone/.cache/ipamedgan");
}
