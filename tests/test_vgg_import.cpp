#include "io/vgg_import.h"

#include <catch2/catch.hpp>
#include <cstdlib>

#include "engine/error.h"
#include "tests/support/bytes.h"
#include "tests/support/python.h"
#include "tests/support/temporary_folder.h"

namespace fs = std::filesystem;

namespace {

// Files of the first two layers: W[kh,kw,i,o] = kh + 10 kw + 100 i + o/1000.
constexpr const char* kTwoLayers = R"(
import h5py, numpy as np
kh, kw, i, o = np.meshgrid(range(3), range(3), range(64), range(64), indexing="ij")
w = (kh + 10 * kw + 100 * i + o / 1000).astype("f4")
def layers(root, weight, bias):
    for layer, k in (("block1_conv1", w[:, :, :3]), ("block1_conv2", w)):
        root[f"{layer}/{weight.format(layer)}"] = k
        root[f"{layer}/{bias.format(layer)}"] = np.arange(64, dtype="f4")
with h5py.File("old.h5", "w") as f: layers(f, "{}_W_1:0", "{}_b_1:0")
with h5py.File("new.h5", "w") as f: layers(f, "{}/kernel:0", "{}/bias:0")
with h5py.File("model.h5", "w") as f: layers(f.create_group("model_weights"), "{}/kernel:0", "{}/bias:0")
with h5py.File("wide.h5", "w") as f: f["block1_conv1/block1_conv1_W_1:0"] = w
with h5py.File("double.h5", "w") as f: f["block1_conv1/block1_conv1_W_1:0"] = w[:, :, :3].astype("f8")
)";

std::string refusal(const fs::path& path, int layers) {
  try {
    ipa::read_vgg19(path, layers);
  } catch (const ipa::Error& e) {
    CHECK(e.exit_code() == 3);
    CHECK_THAT(e.what(), Catch::Contains(path.string()) && Catch::Contains("scripts/get-vgg19"));
    return e.what();
  }
  return "accepted";
}

int64_t count(const ipa::WeightMap& weights) {
  int64_t n = 0;
  for (const auto& w : weights) n += static_cast<int64_t>(w.values.size());
  return n;
}

}  // namespace

TEST_CASE("VGG-19: old, new and nested names of Keras; kernels in PyTorch's order", "[io]") {
  TemporaryFolder folder;
  REQUIRE(python(folder.path, kTwoLayers));
  const ipa::WeightMap weights = ipa::read_vgg19(folder / "old.h5", 2);
  REQUIRE(weights.size() == 4);
  CHECK(weights[0].name == "vgg19.conv1_1.weight");
  CHECK(weights[0].shape == std::vector<int64_t>{64, 3, 3, 3});
  CHECK(weights[3].name == "vgg19.conv1_2.bias");
  CHECK(weights[3].values[63] == 63.f);
  const auto at = [](const ipa::NamedArray& a, int64_t o, int64_t i, int64_t kh, int64_t kw) {
    return a.values[static_cast<size_t>(((o * a.shape[1] + i) * 3 + kh) * 3 + kw)];
  };
  CHECK(at(weights[0], 63, 2, 1, 0) == 201.063f);
  CHECK(at(weights[2], 5, 40, 2, 1) == 4012.005f);
  CHECK(ipa::read_vgg19(folder / "new.h5", 2) == weights);
  CHECK(ipa::read_vgg19(folder / "model.h5", 2) == weights);
  CHECK(ipa::read_vgg19(folder / "old.h5", 1).size() == 2);
}

TEST_CASE("VGG-19: what is missing or of a wrong shape is named, with the way to get the file", "[io]") {
  TemporaryFolder folder;
  REQUIRE(python(folder.path, kTwoLayers));
  CHECK_THAT(refusal(folder / "old.h5", 6), Catch::Contains("layer 'block2_conv1'"));
  CHECK_THAT(refusal(folder / "wide.h5", 1), Catch::Contains("3x3x64x64") && Catch::Contains("3x3x3x64"));
  CHECK_THAT(refusal(folder / "double.h5", 1), Catch::Contains("f64"));
  try {
    ipa::read_vgg19(folder / "absent.h5", 1);
    FAIL("did not throw");
  } catch (const ipa::Error& e) {
    CHECK(e.exit_code() == 4);
    CHECK_THAT(e.what(), Catch::Contains("scripts/get-vgg19"));
  }
}

TEST_CASE("VGG-19: the published weights", "[io]") {
  const char* set = std::getenv("IPA_SHARED_DATA");
  const fs::path path = fs::path(set ? set : IPA_SHARED_DATA) / "vgg19_conv1_1_to_conv3_4.h5";
  if (!fs::exists(path)) {
    WARN("skipped: no " << path);
    return;
  }
  const ipa::WeightMap six = ipa::read_vgg19(path, 6), eight = ipa::read_vgg19(path, 8);
  CHECK(count(six) == 1145408);
  CHECK(count(eight) == 2325568);
  CHECK(eight.back().name == "vgg19.conv3_4.bias");
  CHECK_THAT(refusal(path, 9), Catch::Contains("layer 'block4_conv1'"));

  TemporaryFolder folder;  // the transposition, by numpy
  fs::create_symlink(path, folder / "vgg.h5");
  std::string bytes;
  for (const auto& w : eight) bytes.append(reinterpret_cast<const char*>(w.values.data()), 4 * w.values.size());
  write_bytes(folder / "ours.f32", bytes);
  CHECK(python(folder.path, R"(
import h5py, numpy as np
f = h5py.File("vgg.h5", "r")
theirs = []
for name in sorted(f):
    theirs += [f[f"{name}/{name}_W_1:0"][:].transpose(3, 2, 0, 1).ravel(), f[f"{name}/{name}_b_1:0"][:]]
assert (np.concatenate(theirs) == np.fromfile("ours.f32", "f4")).all()
)"));
}
