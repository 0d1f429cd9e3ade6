#include "io/holdout.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "engine/rng.h"

namespace fs = std::filesystem;

namespace ipa {
namespace {

constexpr std::size_t block_slices = 8;

// The fraction of `count` things, but neither none nor all of them.
std::size_t part_of(std::size_t count, double fraction) {
  const auto part = static_cast<std::size_t>(std::lround(fraction * static_cast<double>(count)));
  return std::clamp<std::size_t>(part, 1, count - 1);
}

// Block b of n follows (2 b + 1) / 2n of what is not held out: half a gap before the first and behind the last.
std::vector<bool> hold_blocks(std::size_t count, double fraction) {
  const std::size_t wanted = part_of(count, fraction), blocks = (wanted + block_slices - 1) / block_slices;
  std::vector<bool> held(count, false);
  for (std::size_t b = 0; b < blocks; ++b) {
    const std::size_t first = wanted * b / blocks, last = wanted * (b + 1) / blocks;
    const std::size_t before = (count - wanted) * (2 * b + 1) / (2 * blocks);
    std::fill(held.begin() + static_cast<std::ptrdiff_t>(before + first),
              held.begin() + static_cast<std::ptrdiff_t>(before + last), true);
  }
  return held;
}

// One side of the division.
void copy_side(const StackReader& whole, const std::vector<std::uint64_t>& slices, StackWriter& out) {
  StackInfo info = whole.info();
  out.declare("images", info.type, {slices.size(), info.height, info.width});
  const std::vector<float> scale = whole.file().read<float>("intensity_scale");
  std::vector<float> own_scale;
  info.subject.clear();
  info.slice_index.clear();
  std::vector<char> pixels(whole.slice_bytes());
  for (const std::uint64_t s : slices) {
    whole.read(s, 1, pixels.data());
    out.append("images", 1, pixels.data());
    info.subject.push_back(whole.info().subject[s]);
    info.slice_index.push_back(whole.info().slice_index[s]);
    own_scale.insert(own_scale.end(), {scale[2 * s], scale[2 * s + 1]});
  }
  out.describe(info);
  out.file().write<float>("intensity_scale", own_scale, {slices.size(), 2});
}

}  // namespace

Holdout choose_holdout(const StackInfo& stack, double fraction, std::uint64_t seed) {
  require(fraction > 0 && fraction < 1, "choose_holdout: not a fraction");
  if (stack.count < 2) fail(ErrorKind::input, "a single slice cannot be divided", {}, "leave out --holdout");
  std::vector<std::string> subjects;  // of first appearance
  std::map<std::string, bool> held;
  for (const std::string& name : stack.subject)
    if (held.emplace(name, false).second) subjects.push_back(name);

  Holdout result;
  if (subjects.size() > 1) {
    RandomSequence random(seed, RandomUse::holdout, 0, 0);
    const std::size_t wanted = part_of(subjects.size(), fraction);
    for (std::size_t i = 0; i < wanted; ++i) {  // Fisher and Yates, as far as needed
      std::swap(subjects[i], subjects[i + random.below(static_cast<std::uint32_t>(subjects.size() - i))]);
      held[subjects[i]] = true;
    }
    for (const std::string& name : stack.subject) result.held.push_back(held[name]);
    return result;
  }
  std::vector<std::size_t> order(stack.count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t s) { return stack.slice_index[s]; });
  const std::vector<bool> blocks = hold_blocks(order.size(), fraction);
  result.shared_subject = true;
  result.held.resize(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) result.held[order[i]] = blocks[i];
  return result;
}

void divide_stack(const fs::path& whole, const Holdout& holdout, const fs::path& goal, const fs::path& held_goal,
                  bool overwrite) {
  const StackReader stack(whole);
  std::vector<std::uint64_t> kept, held;
  for (std::uint64_t s = 0; s < stack.info().count; ++s) (holdout.held[s] ? held : kept).push_back(s);
  StackWriter out(goal, overwrite), held_out(held_goal, overwrite);
  copy_side(stack, kept, out);
  copy_side(stack, held, held_out);
  AtomicFile::commit({&out.close(), &held_out.close()});
}

}  // namespace ipa
