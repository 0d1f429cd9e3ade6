#include "apps/vgg_file.h"

#include <fmt/core.h>

#include <cstdlib>

#include "engine/error.h"
#include "io/vgg_import.h"

namespace ipa {
namespace {

const char* named_by_environment() {
  const char* path = std::getenv("IPAMEDGAN_VGG");
  return path && *path ? path : nullptr;
}

}  // namespace

std::filesystem::path vgg19_path(const std::optional<std::filesystem::path>& given) {
  if (given) return *given;
  if (const char* path = named_by_environment()) return path;
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  const std::filesystem::path folder =
      cache && *cache ? std::filesystem::path(cache) : std::filesystem::path(home ? home : ".") / ".cache";
  return folder / "ipamedgan/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5";
}

std::filesystem::path find_vgg19(const std::optional<std::filesystem::path>& given) {
  const std::filesystem::path path = vgg19_path(given);
  std::error_code ignored;
  if (given || named_by_environment() || std::filesystem::exists(path, ignored)) return path;
  fail(ErrorKind::usage, "the style loss needs the ImageNet weights of VGG-19", path.string(),
       fmt::format("get them with {}, name the file with --vgg, or train without style: --set loss.style=0",
                   get_vgg19_script()));
}

}  // namespace ipa
