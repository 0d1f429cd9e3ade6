#include "io/prepare.h"

#include <catch2/catch.hpp>

#include "io/stack.h"
#include "tests/support/error_kind.h"
#include "tests/support/python.h"
#include "tests/support/temporary_folder.h"

namespace fs = std::filesystem;

TEST_CASE("a volume becomes the slices that numpy makes of it", "[io]") {
  TemporaryFolder folder;
  REQUIRE(python(folder.path, R"(
import nibabel as nib, numpy as np
rng = np.random.default_rng(0)
a = np.zeros((40, 50, 30), 'i2')
a[8:30, 10:45, 4:25] = rng.integers(-50, 3000, (22, 35, 21))
a[20, 20, 10] = 32000                                             # an artefact that must not set the range
affine = np.array([[-1., 0, 0, 5], [0, 0, 1, -8], [0, -1, 0, 9], [0, 0, 0, 1]])   # L, I, A
nib.save(nib.Nifti1Image(a, affine), 'head (1).nii.gz')
)"));
  std::vector<double> progress;
  const ipa::PrepareSummary summary =
      ipa::prepare({.inputs = {folder / "head (1).nii.gz"},
                    .out = folder / "out.h5",
                    .size = 48,
                    .progress = [&](double done, const fs::path&) { progress.push_back(done); }});
  CHECK(summary.slices + summary.dropped == 50);
  CHECK(summary.slices == 35);
  CHECK(summary.subjects == std::vector<std::string>{"head__1_"});
  CHECK(summary.inputs.at(0).slices == 35);
  CHECK(std::is_sorted(progress.begin(), progress.end()));
  CHECK(progress.back() == 1);
  CHECK(python(folder.path, R"(
import h5py, nibabel as nib, numpy as np
v = nib.load('head (1).nii.gz')
a = nib.as_closest_canonical(v).get_fdata()                        # x to the right, y anterior, z superior
hi = np.percentile(a[a > 0], 99.5)
a = np.floor(np.clip(a, 0, hi) / hi * 255 + 0.5)[::-1, ::-1].transpose(2, 1, 0)   # front up, left on the right
z, y, x = a.shape
square = np.zeros((z, 48, 48)); square[:, (48 - y) // 2:(48 - y) // 2 + y, (48 - x) // 2:(48 - x) // 2 + x] = a
keep = (square > 10).mean((1, 2)) >= 0.05
f = h5py.File('out.h5')
assert f['images'].dtype == 'u1' and f['images'].shape == (keep.sum(), 48, 48), f['images'].shape
assert abs(f['images'][:].astype(int) - square[keep]).max() <= 1 and (f['images'][:] != square[keep]).mean() < 1e-3
assert (f['slice_index'][:] == np.flatnonzero(keep)).all() and f['slice_index'].dtype == 'i4'
assert set(f['subject'][:]) == {b'head__1_'}
assert (f['spacing'][:] == 1).all() and (f.attrs['intensity_range'] == [0, 255]).all()
s = f['intensity_scale'][:]
assert s.shape == (keep.sum(), 2) and (s[:, 0] == 0).all() and np.allclose(s[:, 1], hi)
)"));
}

TEST_CASE("several inputs, names that collide, stacks of other types and spacings", "[io]") {
  TemporaryFolder folder;
  fs::create_directory(folder / "x");
  REQUIRE(python(folder.path, R"(
import h5py, nibabel as nib, numpy as np
a = np.zeros((20, 20, 6), 'f4'); a[4:16, 4:16] = 100
nib.save(nib.Nifti1Image(a, np.diag([2., 2, 4, 1])), 'a.nii')
nib.save(nib.Nifti1Image(a, np.diag([1., 1, 1, 1])), 'x/a.nii.gz')
with h5py.File('s.h5', 'w') as f:
    x = np.zeros((5, 40, 60), '>u2'); x[:, 10:30, 20:40] = 1000; x[2:, 10:30, 20:40] = 4000; x[4] = 0
    f['slices'] = x
    f['subject'] = ['a', 'a', 'b', 'b', 'b']
    f['slice_index'] = [10, 11, 3, 4, 5]
    f['spacing'] = [5., 0.5, 0.5]
    f.attrs['modality'] = 'T1'
)"));
  const ipa::PrepareSummary summary =
      ipa::prepare({.inputs = {folder / "a.nii", folder.path / "x" / "a.nii.gz", folder / "s.h5"},
                    .out = folder / "o.h5",
                    .size = 32});
  CHECK(summary.subjects == std::vector<std::string>{"a", "a_2", "a_3", "b"});
  REQUIRE(summary.inputs.size() == 3);
  CHECK(summary.inputs[0].slices == 24);  // 6 of 4 mm
  CHECK(summary.inputs[1].slices == 6);
  CHECK(summary.inputs[2].slices == 4);
  CHECK(summary.inputs[2].dropped == 1);
  CHECK(summary.inputs[2].subjects == std::vector<std::string>{"a_3", "b"});
  const ipa::StackReader out(folder / "o.h5");
  CHECK(out.info().modality == "T1");
  CHECK(out.info().count == 34);
  CHECK(out.info().subject[24] == "a_2");
  CHECK(out.info().slice_index[30] == 10);
  CHECK(out.info().slice_index[33] == 4);
  const auto scale = out.file().read<float>("intensity_scale");
  CHECK(scale[2 * 30 + 1] == 1000);
  CHECK(scale[2 * 32 + 1] == 4000);
  std::vector<uint8_t> slices(34 * 1024);
  out.read(0, 34, slices.data());
  const auto bright = [&](size_t s) {
    return std::count_if(&slices[s * 1024], &slices[s * 1024] + 1024, [](int v) { return v > 127; });
  };
  CHECK(bright(12) == 576);  // 12 x 12 pixels of 2 mm are 24 x 24 of 1 mm
  CHECK(bright(25) == 144);
  CHECK(bright(31) == 100);  // 20 x 20 of 0.5 mm
}

TEST_CASE("what cannot be prepared says why and leaves nothing", "[io]") {
  TemporaryFolder folder;
  REQUIRE(python(folder.path, R"(
import h5py, nibabel as nib, numpy as np
a = np.zeros((8, 8, 8), 'f4')
nib.save(nib.Nifti1Image(a, np.eye(4)), 'empty.nii')
a[1, 2, 3] = np.nan
nib.save(nib.Nifti1Image(a, np.eye(4)), 'nan.nii')
nib.save(nib.Nifti1Image(np.ones((8, 8, 8), 'f4'), np.diag([1e9, 1e9, 1e9, 1])), 'huge.nii')
)"));
  const auto refuse = [&](ipa::PrepareOptions options, int kind, const std::string& part) {
    options.out = folder / "out.h5";
    CHECK(error_kind([&] { ipa::prepare(options); }, part) == kind);
    CHECK_FALSE(fs::exists(folder / "out.h5"));
  };
  refuse({.inputs = {folder / "empty.nii"}}, 3, "--min-foreground");
  refuse({.inputs = {folder / "nan.nii"}}, 3, "voxel (1, 2, 3)");
  refuse({.inputs = {folder / "huge.nii"}}, 3, "too large");
  refuse({.inputs = {folder / "missing.nii"}}, 4, "missing.nii");
  refuse({.inputs = {}}, 2, "no input");
  refuse({.inputs = {folder / "empty.nii"}, .spacing_mm = 0}, 2, "--spacing");
  refuse({.inputs = {folder / "empty.nii"}, .size = 0}, 2, "--size");
}

TEST_CASE("real scans: Debian's head and the development volumes", "[io]") {
  const fs::path shared = fs::path(IPA_SHARED_DATA) / "nifti";
  const fs::path debian = "/usr/share/mricron/templates/ch2.nii.gz";
  int found = 0;
  for (const auto& [path, least, most] : {std::tuple{debian, 130, 170},
                                          {shared / "ms01_flair.nii.gz", 80, 200},
                                          {shared / "ms12_flair.nii.gz", 80, 200},
                                          {shared / "ms_mni07_flair.nii.gz", 90, 170}}) {
    if (!fs::exists(path)) {
      WARN("skipped: " << path << " is not here");
      continue;
    }
    ++found;
    TemporaryFolder folder;
    const ipa::PrepareSummary summary = ipa::prepare({.inputs = {path}, .out = folder / "o.h5"});
    INFO(path << ": " << summary.slices << " slices kept, " << summary.dropped << " dropped");
    CHECK(int(summary.slices) >= least);
    CHECK(int(summary.slices) <= most);
    const ipa::StackReader out(folder / "o.h5");
    // A head stands upright in the middle, its back half as bright as its front within a factor.
    std::vector<uint8_t> slice(65536);
    out.read(out.info().count / 2, 1, slice.data());
    double top = 0, bottom = 0;
    for (size_t i = 0; i < slice.size(); ++i) (i < slice.size() / 2 ? top : bottom) += slice[i];
    CHECK(top > bottom / 3);
    CHECK(bottom > top / 3);
  }
  if (found == 0) WARN("skipped: no real scan found, install mricron-data");
}
