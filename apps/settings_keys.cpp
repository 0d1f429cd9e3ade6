#include "apps/settings_keys.h"

#include <fmt/core.h>

#include <cmath>

#include "engine/error.h"

namespace ipa {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double most_steps = 1e12;  // far beyond any use, so that sums and products of steps cannot overflow

constexpr Limits between(double least, double most) { return {least, most}; }
constexpr Limits at_least(double least) { return {least, most_steps}; }
constexpr Limits fraction = between(0, 1);
constexpr Limits below_one = {0, 1, false, true};
constexpr Limits positive = {0, infinity, true, true};
constexpr Limits not_negative = {0, infinity, false, true};

bool holds(const Limits& range, double x) {  // false for NaN
  return (range.open_below ? x > range.least : x >= range.least) &&
         (range.open_above ? x < range.most : x <= range.most);
}

}  // namespace

std::string describe(const Limits& range) {
  const std::string low = fmt::format("{} {}", range.open_below ? "above" : "at least", range.least);
  const std::string high = fmt::format("{} {}", range.open_above ? "below" : "at most", range.most);
  std::string text = range.most == infinity ? low + " and finite" : low + " and " + high;
  if (range.multiple_of != 1) text += fmt::format(", a multiple of {}", range.multiple_of);
  return text;
}

std::vector<Key> settings_keys(Settings& s) {
  return {
      {"net.width", &s.net.width, between(4, 1024)},  // below 4 a MultiRes block would have a layer without channels
      {"net.disc_width", &s.net.disc_width, between(1, 1024)},
      {"net.residual", &s.net.residual},
      {"net.bn_momentum", &s.net.bn_momentum, below_one},
      {"data.size", &s.data.size, {96, 4096, false, false, 16}},
      {"data.hole", &s.data.hole, fraction},
      {"data.flip", &s.data.flip},
      {"data.masks", &s.data.masks},
      {"train.batch", &s.train.batch, between(1, 4096)},
      {"train.epochs", &s.train.epochs, between(1, 1e6)},
      {"train.steps", &s.train.steps, at_least(0)},
      {"train.seed", &s.train.seed, between(0, 0x1p53)},
      {"train.lr", &s.optimizer.lr, positive},
      {"train.beta1", &s.optimizer.beta1, below_one},
      {"train.beta2", &s.optimizer.beta2, below_one},
      {"train.generator_steps", &s.optimizer.generator_steps, between(1, 1000)},
      {"train.decay", &s.optimizer.decay, not_negative},
      {"loss.adversarial", &s.loss.adversarial, not_negative},
      {"loss.style", &s.loss.style, not_negative},
      {"loss.perceptual", &s.loss.perceptual, not_negative},
      {"loss.style_layers", &s.loss.style_layers, between(1, 16)},
      {"loss.hole", &s.loss.hole, not_negative},
      {"loss.style_warmup", &s.loss.style_warmup, at_least(0)},
      {"checkpoint.every", &s.checkpoint.every, at_least(1)},
      {"checkpoint.keep", &s.checkpoint.keep, between(1, 1e6)},
      {"validate.every", &s.validate.every, at_least(1)},
      {"validate.slices", &s.validate.slices, at_least(1)},
  };
}

void check_range(const Key& key, std::string_view where) {
  const auto refuse = [&](const auto& value) {
    fail(ErrorKind::usage, fmt::format("{} = {} is out of range", key.name, value), where,
         fmt::format("allowed: {}", describe(key.range)));
  };
  if (const auto* integer = std::get_if<std::int64_t*>(&key.value)) {
    if (!holds(key.range, static_cast<double>(**integer)) || **integer % key.range.multiple_of != 0) refuse(**integer);
  } else if (const auto* number = std::get_if<double*>(&key.value)) {
    if (!holds(key.range, **number)) refuse(**number);
  } else if (const auto* text = std::get_if<std::string*>(&key.value)) {
    if ((*text)->empty())
      fail(ErrorKind::usage, fmt::format("{} is empty", key.name), where, "give it a value, or leave it out");
  }
}

}  // namespace ipa
