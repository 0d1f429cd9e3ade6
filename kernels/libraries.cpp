#include "kernels/libraries.h"

#include <dnnl.h>
#include <fmt/core.h>

#include "engine/on_device.h"

namespace ipa {

std::vector<Library> libraries() {
  const dnnl_version_t* onednn = dnnl_version();
  std::vector<Library> all{{"oneDNN", fmt::format("{}.{}.{}", onednn->major, onednn->minor, onednn->patch)}};
  if constexpr (cuda_built)
    for (Library& library : cuda::libraries()) all.push_back(std::move(library));
  return all;
}

}  // namespace ipa
