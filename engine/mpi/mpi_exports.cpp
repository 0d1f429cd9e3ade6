#define OMPI_SKIP_MPICXX 1
#include <mpi.h>

#include "engine/mpi/mpi_ranks.h"
#include "engine/mpi_plugin.h"

namespace ipa {
namespace {

class Session final : public MpiRanks {
 public:
  LaunchPlace place() const override { return session_.place(); }
  std::unique_ptr<Comm> comm(RankGroup& group) const override { return mpi_comm(group); }

 private:
  MpiSession session_;
};

std::string library() {  // "Open MPI v4.1.4, package: ..." up to the comma; may be asked before MPI begins
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  MPI_Get_library_version(text, &length);
  const std::string all(text);
  return all.substr(0, all.find_first_of(",\n"));
}

}  // namespace

extern "C" const MpiExports ipamedgan_mpi_exports{
    IPA_VERSION, library, []() -> std::unique_ptr<MpiRanks> { return std::make_unique<Session>(); }};

}  // namespace ipa
