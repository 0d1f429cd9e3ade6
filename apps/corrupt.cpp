// ipamedgan corrupt: a copy of a stack with a hole in each slice.
#include <fmt/core.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/mask_file.h"
#include "apps/output.h"
#include "apps/progress.h"
#include "apps/slices.h"
#include "engine/error.h"
#include "io/stack.h"
#include "kernels/corrupt.h"

namespace ipa {
namespace {

struct Arguments {
  std::filesystem::path in, masks, out;
  std::string dataset;
  double hole = 0;
};

void run(const Arguments& arguments, const Common& common) {
  if (!(arguments.hole >= 0 && arguments.hole <= 1))
    fail(ErrorKind::usage, fmt::format("--hole {} is out of range", arguments.hole), {}, "it takes 0 to 1");
  StackReader in(arguments.in, arguments.dataset);
  const StackInfo& info = in.info();
  const MaskFile masks(arguments.masks);
  masks.require_size(plane_size(in), arguments.in);

  StackWriter out(arguments.out, common.force);
  out.declare("images", info.type, info.shape);
  out.declare("target", info.type, info.shape);
  out.declare("masks", NumberType::u8, {info.count, info.height, info.width});
  std::vector<std::uint8_t> mask(masks.size().pixels());
  Progress progress("corrupt", "slice", static_cast<std::int64_t>(info.count), common.quiet);
  with_number_type(info.type, [&](auto zero) {
    using T = decltype(zero);
    std::vector<T> slice(mask.size());
    for (std::uint64_t i = 0; i < info.count; ++i) {
      in.read(i, 1, slice.data());
      out.append("target", 1, slice.data());
      masks.read(static_cast<std::int64_t>(i), mask);
      const Range range = in.range(i);
      blank<T>(slice, mask, hole_value<T>(arguments.hole, range.lo, range.hi));
      out.append("images", 1, slice.data());
      out.append("masks", 1, mask.data());
      progress.update(static_cast<std::int64_t>(i) + 1);
    }
  });
  out.describe(info);
  for (const std::string& name : out.copy_extras(in)) warn(fmt::format("cannot copy {}, left out", name));
  out.commit();

  if (common.json)
    print_json(
        {{"out", arguments.out.string()}, {"slices", info.count}, {"masks", masks.count()}, {"hole", arguments.hole}});
  else
    print_line(fmt::format("{}: {} slices with {} masks, the hole at {} of the range", arguments.out.string(),
                           info.count, masks.count(), arguments.hole));
}

}  // namespace

void declare_corrupt(Command& command) {
  auto arguments = std::make_shared<Arguments>();
  command.describe("Copies a stack with a hole in each slice.",
                   "Writes /images, /masks (the mask of each slice), /target (the original) and copies the rest.\n"
                   "Slice i takes mask i where the counts are equal, else mask i mod the number of masks.",
                   {"corrupt --in test.h5 --masks masks.h5 --out corrupted.h5",
                    "corrupt --in test.h5 --masks masks.h5 --hole 0.5 --out grey.h5 --force"});
  command.option("--in", "S.h5", arguments->in, "Stack of slices", Need::required);
  command.option("--dataset", "PATH", arguments->dataset, "Its dataset (default: images, image, data, ...)");
  command.option("--masks", "M.h5", arguments->masks, "Masks, as `ipamedgan masks` writes them", Need::required);
  command.option("--hole", "V", arguments->hole, "Intensity in the hole, 0 to 1 of the range (default: 0, black)");
  command.option("--out", "C.h5", arguments->out, "Stack to write", Need::required);
  command.run([arguments](const Common& common) { run(*arguments, common); });
}

}  // namespace ipa
