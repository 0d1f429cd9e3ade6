// SIGTERM, SIGINT and SIGUSR1 ask for a clean stop; a second SIGINT ends the process at once.
#pragma once

namespace ipa {

class StopSignal {
 public:
  StopSignal();  // one at a time
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  int received() const;  // the signal's number, 0 before the first
};

}  // namespace ipa
