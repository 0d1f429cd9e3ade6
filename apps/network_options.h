// The options of the commands that run a trained network over slices.
#pragma once

#include <cstdint>
#include <string>

#include "apps/command_line.h"
#include "apps/slice_network.h"

namespace ipa {

struct NetworkArguments {
  std::int64_t batch = SliceNetworkOptions{}.batch;
  std::string views = "1";
};

void declare_network_options(Command& command, NetworkArguments& arguments);

// Throws ErrorKind::usage where a value is out of range.
SliceNetworkOptions checked_network_options(const NetworkArguments& arguments);

}  // namespace ipa
