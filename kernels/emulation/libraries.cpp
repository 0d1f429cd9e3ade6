#include "kernels/libraries.h"

namespace ipa::cuda {

std::vector<Library> libraries() { return {}; }

}  // namespace ipa::cuda
