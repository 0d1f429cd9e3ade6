// Saves and loads a small checkpoint as `train` does its own, for the tests that let every single call of a save fail.
//   checkpoint_tool write FILE STEP       exit code and message as of ipamedgan
//   checkpoint_tool read FILE             prints its step
#include <cstdio>
#include <cstdlib>
#include <string>

#include "engine/error.h"
#include "io/checkpoint.h"

namespace {

ipa::Checkpoint made_at(int64_t step) {
  ipa::Checkpoint c;
  c.step = step;
  c.settings = "[net]\nwidth = 4\n";
  c.weights = {{"generator.w", {4, 3}, std::vector<float>(12, static_cast<float>(step))}};
  c.adam = {{"generator", step, std::vector<float>(12, 1), std::vector<float>(12, 2)}};
  return c;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 3) return 2;
  const std::string action = argv[1], path = argv[2];
  if (action == "write") {
    ipa::write_checkpoint(path, made_at(std::atol(argv[3])));
  } else {
    const ipa::Checkpoint c = ipa::read_checkpoint(path);
    ipa::require(c == made_at(c.step), "the content is that of the step");
    std::printf("%ld\n", static_cast<long>(c.step));
  }
  return 0;
} catch (const ipa::Error& e) {
  std::fprintf(stderr, "ipamedgan: error: %s\n", e.what());
  return e.exit_code();
}
