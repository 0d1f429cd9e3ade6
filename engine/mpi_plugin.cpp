#include "engine/mpi_plugin.h"

#include <dlfcn.h>

#include <filesystem>

#include "engine/machine.h"

namespace fs = std::filesystem;

namespace ipa {

MpiPlugin load_mpi_plugin(std::string_view version) {
  std::error_code none;
  const fs::path prefix = program_prefix(), file = prefix / "lib/ipamedgan/ipamedgan_mpi.so";
  if (prefix.empty() || !fs::exists(file, none)) return {.problem = "no plug-in at " + file.string()};
  // Global, as Open MPI's own plug-ins look for its symbols; never closed, since MPI leaves threads and handlers
  // behind.
  void* library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (!library) {
    const char* why = ::dlerror();
    return {.problem = why ? why : "cannot load " + file.string()};
  }
  const auto* exports = static_cast<const MpiExports*>(::dlsym(library, mpi_exports_name));
  if (!exports || exports->version != version) return {.problem = "of another version of ipamedgan: " + file.string()};
  return {.library = exports->library(), .begin = exports->begin};
}

}  // namespace ipa
