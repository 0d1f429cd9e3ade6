// ipamedgan masks: the paper's mask sets.
#include <fmt/core.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/output.h"
#include "engine/error.h"
#include "io/atomic_file.h"
#include "io/hdf5.h"
#include "kernels/masks.h"

namespace ipa {
namespace {

struct Arguments {
  std::string kind, split;
  std::optional<std::int64_t> count;
  std::int64_t size = 256, unite = 1;
  std::filesystem::path out;
};

void write(const Arguments& arguments, std::uint64_t seed, const MaskSet& set, bool force) {
  AtomicFile output(arguments.out, force);
  hdf5::File file = hdf5::File::create(output.temporary());
  const auto side = static_cast<std::uint64_t>(set.size);
  file.write<std::uint8_t>("masks", set.pixels, {set.count(), side, side}, {.chunk = {1, side, side}});
  file.set_text("/", "kind", arguments.kind);
  file.set_text("/", "split", arguments.split);
  file.set_number("/", "seed", seed);
  file.set_number("/", "united", static_cast<std::uint64_t>(arguments.unite));
  file.set_text("/", "source", "ipamedgan masks");
  file.close();
  output.commit();
}

void run(const Arguments& arguments, const Common& common) {
  const MaskKind kind = arguments.kind == "square"  ? MaskKind::square
                        : arguments.kind == "mixed" ? MaskKind::mixed
                                                    : MaskKind::arbitrary;
  const MaskSplit split = arguments.split == "train" ? MaskSplit::train : MaskSplit::test;
  const int count = within("--count", arguments.count.value_or(default_mask_count(split)), 1, 100000);
  const int size = within("--size", arguments.size, 32, 4096);
  const int each = within("--unite", arguments.unite, 1, 100000 / count);
  const std::uint64_t seed = common.seed.value_or(0);
  const MaskSet set = unite(make_masks(kind, split, count * each, size, seed), each);
  write(arguments, seed, set, common.force);

  double least = 1, most = 0, sum = 0;  // shares of the area
  for (size_t i = 0; i < set.count(); ++i) {
    const double share = static_cast<double>(std::count(set[i].begin(), set[i].end(), 1)) / set[i].size();
    least = std::min(least, share);
    most = std::max(most, share);
    sum += share;
  }
  const double mean = sum / static_cast<double>(set.count());
  if (common.json)
    print_json({{"out", arguments.out.string()},
                {"kind", arguments.kind},
                {"split", arguments.split},
                {"count", set.count()},
                {"size", set.size},
                {"seed", seed},
                {"united", each},
                {"area", {{"least", least}, {"mean", mean}, {"most", most}}}});
  else
    print_line(fmt::format("{}: {} {} masks {}x{}, {:.2f} to {:.2f} % of the area, {:.2f} % on average",
                           arguments.out.string(), set.count(), arguments.kind, set.size, set.size, 100 * least,
                           100 * most, 100 * mean));
}

}  // namespace

void declare_masks(Command& command) {
  auto arguments = std::make_shared<Arguments>();
  command.describe("Makes a set of masks as the paper's: 100 to train with, 50 others to test with.", "",
                   {"masks --kind arbitrary --split test --out masks.h5",
                    "masks --kind square --split train --count 500 --seed 7 --out squares.h5",
                    "masks --kind mixed --split train --count 2000 --unite 3 --out many.h5"});
  command.choice("--kind", arguments->kind, {"square", "arbitrary", "mixed"},
                 "squares of a quarter of the side; strokes, blobs and ellipses; or one square to seven others",
                 Need::required);
  command.choice("--split", arguments->split, {"train", "test"},
                 "Which of two disjoint random sequences, and whose areas", Need::required);
  command.option("--count", "N", arguments->count, "How many (default: 100 for train, 50 for test)");
  command.option("--unite", "N", arguments->unite, "Masks to join to one: more holes to learn from (default: 1)");
  command.option("--size", "PIXELS", arguments->size, "Side of the masks (default: 256)");
  command.option("--out", "M.h5", arguments->out, "File to write", Need::required);
  command.run([arguments](const Common& common) { run(*arguments, common); });
}

}  // namespace ipa
