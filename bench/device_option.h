// `--device cpu|cuda|cuda:N` of the benchmarks.
#pragma once

#include <fmt/core.h>

#include <charconv>
#include <string>

#include "engine/device.h"
#include "engine/error.h"

namespace ipa::bench {

inline Device device_of(const std::string& text) {
  if (text == "cpu") return {};
  Device device{Device::Kind::cuda, 0};
  if (text == "cuda") return device;
  const char* const end = text.data() + text.size();
  if (text.starts_with("cuda:") && text.size() > 5)
    if (const auto [stop, problem] = std::from_chars(text.data() + 5, end, device.index);
        problem == std::errc() && stop == end && device.index >= 0)
      return device;
  fail(ErrorKind::usage, fmt::format("--device {}: no such device", text), "", "give cpu, cuda or cuda:N");
}

// One that is to compute now.
inline Device usable_device_of(const std::string& text) {
  const Device device = device_of(text);
  if (const std::string why = device_problem(device); !why.empty())
    fail(ErrorKind::device, fmt::format("--device {}: {}", text, why), "", "use --device cpu");
  return device;
}

}  // namespace ipa::bench
