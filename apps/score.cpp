// ipamedgan score: the metrics alone, for anybody's output.
#include <fmt/core.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "apps/commands.h"
#include "apps/mask_file.h"
#include "apps/output.h"
#include "apps/progress.h"
#include "apps/score_report.h"
#include "apps/slices.h"
#include "engine/error.h"
#include "io/atomic_file.h"
#include "io/stack.h"
#include "kernels/metrics.h"

namespace ipa {
namespace {

constexpr std::uint64_t block = 64;  // slices read at a time, then scored in parallel

struct Arguments {
  std::filesystem::path target, output;
  std::optional<std::filesystem::path> masks, per_slice;
};

void require_same_slices(const StackInfo& target, const StackInfo& output, const Arguments& arguments) {
  if (target.count == output.count && target.height == output.height && target.width == output.width) return;
  fail(ErrorKind::input,
       fmt::format("the output has {} slices of {}x{}, the target {} of {}x{}", output.count, output.height,
                   output.width, target.count, target.height, target.width),
       arguments.output.string(), "score what was made from this target");
}

ScoreTable score(StackReader& target, StackReader& output, const MaskFile* masks, bool quiet) {
  const StackInfo& info = target.info();
  const PlaneSize size = plane_size(target);
  const size_t pixels = size.pixels();
  ScoreTable table;
  Progress progress("score", "slice", static_cast<std::int64_t>(info.count), quiet);
  for (std::uint64_t first = 0; first < info.count; first += block) {
    const std::uint64_t count = std::min(block, info.count - first);
    const std::vector<Range> ranges = ranges_of(target, first, count);
    // An output without a range of its own is on the scale of its target.
    const auto& own = output.info().intensity_range;
    const std::vector<Range> output_ranges = own ? std::vector<Range>(count, *own) : ranges;
    const std::vector<std::uint8_t> wanted = read_8_bit(target, first, ranges);
    const std::vector<std::uint8_t> got = read_8_bit(output, first, output_ranges);
    std::vector<std::uint8_t> holes(masks ? count * pixels : 0);
    for (std::uint64_t i = 0; masks && i < count; ++i)
      masks->read(static_cast<std::int64_t>(first + i), std::span(holes).subspan(i * pixels, pixels));
    std::vector<SliceScores> scores(count);
#pragma omp parallel for schedule(dynamic)
    for (std::uint64_t i = 0; i < count; ++i)
      scores[i] = score_slice(
          std::span(wanted).subspan(i * pixels, pixels), std::span(got).subspan(i * pixels, pixels),
          masks ? std::span<const std::uint8_t>(holes).subspan(i * pixels, pixels) : std::span<const std::uint8_t>(),
          size);
    for (std::uint64_t i = 0; i < count; ++i)
      table.add("output", static_cast<std::int64_t>(first + i), info.subject.empty() ? "" : info.subject[first + i],
                scores[i]);
    progress.update(static_cast<std::int64_t>(first + count));
  }
  return table;
}

void run(const Arguments& arguments, const Common& common) {
  StackReader target(arguments.target), output(arguments.output);
  require_same_slices(target.info(), output.info(), arguments);
  std::optional<MaskFile> masks;
  if (arguments.masks) {
    masks.emplace(*arguments.masks);
    masks->require_size(plane_size(target), arguments.target);
  }
  if (arguments.per_slice) AtomicFile(*arguments.per_slice, common.force);  // refuse before the work
  const ScoreTable table = score(target, output, masks ? &*masks : nullptr, common.quiet);
  if (arguments.per_slice) write_file(*arguments.per_slice, per_slice_csv(table, "output"), common.force);
  if (common.json)
    print_json(scores_json(table));
  else
    print_line(scores_text(table, "output"));
}

}  // namespace

void declare_score(Command& command) {
  auto arguments = std::make_shared<Arguments>();
  command.describe(
      "Scores slices against their targets: SSIM, PSNR, MSE and UQI.",
      "Over the whole slice and, with masks, in the hole, in a ring of 5 pixels around it, and outside of it, on\n"
      "the scale 0..255. Both stacks are scaled by the target's intensity range; an output with an attribute\n"
      "intensity_range by its own.",
      {"score --target test.h5 --output inpainted.h5 --masks masks.h5",
       "score --target test.h5 --output inpainted.h5 --masks corrupted.h5 --per-slice scores.csv --json"});
  command.option("--target", "S.h5", arguments->target, "Stack of true slices", Need::required);
  command.option("--output", "O.h5", arguments->output, "Stack to score", Need::required);
  command.option("--masks", "M.h5", arguments->masks, "Masks of the holes; slice i takes mask i mod their number");
  command.option("--per-slice", "F.csv", arguments->per_slice, "Write the scores of each slice and region");
  command.run([arguments](const Common& common) { run(*arguments, common); });
}

}  // namespace ipa
