#include "apps/network_options.h"

namespace ipa {

void declare_network_options(Command& command, NetworkArguments& arguments) {
  command.option("--batch", "N", arguments.batch, "Squares at a time, 1 to 1024 (default: 4)");
  command.choice("--views", arguments.views, {"1", "2", "4"},
                 "Mirror images to average over; 2: left-right, 4: and upside down (default: 1)");
}

SliceNetworkOptions checked_network_options(const NetworkArguments& arguments) {
  return {.batch = within("--batch", arguments.batch, 1, 1024), .views = std::stoi(arguments.views)};
}

}  // namespace ipa
