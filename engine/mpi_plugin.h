// MPI for this program, which does not need it to start: a plug-in that is loaded where it lies beside the program and
// finds the MPI it was built with. Built where IPA_MPI is on (engine/mpi/).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "engine/comm.h"
#include "engine/rendezvous.h"

namespace ipa {

// A session of MPI: from its making to the end of this object; one in a process.
class MpiRanks {
 public:
  virtual ~MpiRanks() = default;
  virtual LaunchPlace place() const = 0;                           // all ranks call it together
  virtual std::unique_ptr<Comm> comm(RankGroup& group) const = 0;  // `group` was made at place()
};

struct MpiPlugin {
  std::string library;  // "Open MPI v4.1.4"; empty: MPI cannot be used
  std::string problem;  // then why not
  std::unique_ptr<MpiRanks> (*begin)() = nullptr;
};

MpiPlugin load_mpi_plugin(std::string_view version);  // of this program, whose plug-in it must be

// What the plug-in exports, under the name below.
struct MpiExports {
  const char* version;  // of the program it was built with
  std::string (*library)();
  std::unique_ptr<MpiRanks> (*begin)();
};
inline constexpr const char* mpi_exports_name = "ipamedgan_mpi_exports";

}  // namespace ipa
