#include "apps/stop_signal.h"

#include <signal.h>

#include <array>
#include <cstddef>

namespace ipa {
namespace {

constexpr std::array signals{SIGTERM, SIGINT, SIGUSR1};
volatile sig_atomic_t last_signal = 0;
std::array<struct sigaction, signals.size()> former;

void handle(int signal) {
  if (signal == SIGINT && last_signal == SIGINT) ::signal(SIGINT, SIG_DFL), ::raise(SIGINT);
  last_signal = signal;
}

}  // namespace

StopSignal::StopSignal() {
  last_signal = 0;
  struct sigaction action {};
  action.sa_handler = handle;
  action.sa_flags = SA_RESTART;
  for (std::size_t i = 0; i < signals.size(); ++i) ::sigaction(signals[i], &action, &former[i]);
}

StopSignal::~StopSignal() {
  for (std::size_t i = 0; i < signals.size(); ++i) ::sigaction(signals[i], &former[i], nullptr);
}

int StopSignal::received() const { return last_signal; }

}  // namespace ipa
