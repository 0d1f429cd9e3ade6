#include <unistd.h>

#include <cstdlib>

#include "apps/commands.h"
#include "io/foreign_reader.h"

namespace {

// libgomp's threads spin at every barrier for as long as milliseconds: on a machine that is busy with other work each
// small kernel then waits for a thread that is not running (seen: 20 times slower). A thousand turns cost nothing on an
// idle one. libgomp reads this when it is loaded, so the program starts itself again.
void shorten_spinning(char** argv) {
  for (const char* set : {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"})
    if (std::getenv(set)) return;
  if (::setenv("GOMP_SPINCOUNT", "1000", 1) == 0) ::execv("/proc/self/exe", argv);  // where that fails, it spins
}

}  // namespace

int main(int argc, char** argv) {
  if (const auto served = ipa::serve_foreign_files(argc, argv)) return *served;
  shorten_spinning(argv);
  return ipa::run_command_line(argc, argv,
                               {{"prepare", ipa::declare_prepare},
                                {"masks", ipa::declare_masks},
                                {"corrupt", ipa::declare_corrupt},
                                {"train", ipa::declare_train},
                                {"inpaint", ipa::declare_inpaint},
                                {"export", ipa::declare_export},
                                {"import", ipa::declare_import},
                                {"evaluate", ipa::declare_evaluate},
                                {"score", ipa::declare_score},
                                {"info", ipa::declare_info},
                                {"doctor", ipa::declare_doctor},
                                {"completion", ipa::declare_completion},
                                {"man", ipa::declare_man}});
}
