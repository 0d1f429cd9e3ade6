#include "io/nifti.h"

#include <zlib.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <fstream>

#include "tests/support/error_kind.h"
#include "tests/support/python.h"
#include "tests/support/temporary_folder.h"

namespace fs = std::filesystem;
using ipa::NumberType;

namespace {

// Writes affine and values of each volume as text-free binary files that the script compares with nibabel's.
void dump(const fs::path& folder, const std::string& name) {
  const ipa::Nifti v = ipa::read_nifti(folder / name);
  std::ofstream affine(folder / (name + ".affine"), std::ios::binary),
      values(folder / (name + ".values"), std::ios::binary);
  affine.write(reinterpret_cast<const char*>(v.affine.data()), sizeof v.affine);
  const std::vector<float> real = ipa::values_of(v);
  values.write(reinterpret_cast<const char*>(real.data()), std::streamsize(real.size() * sizeof(float)));
}

std::string slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// A NIfTI-1 header for u8 voxels, with `count` of them behind it.
std::string plain(std::initializer_list<int16_t> dim, size_t count, int16_t datatype = 2) {
  std::string bytes(352 + count, '\0');
  const auto put = [&](size_t at, auto value) { std::memcpy(bytes.data() + at, &value, sizeof value); };
  put(0, int32_t{348});
  size_t at = 40;
  for (const int16_t d : dim) put(at, d), at += 2;
  put(70, datatype);
  put(72, int16_t{8});
  for (size_t i = 0; i < 8; ++i) put(76 + 4 * i, 1.0f);
  put(108, 352.0f);
  std::memcpy(bytes.data() + 344, "n+1", 4);
  return bytes;
}

}  // namespace

TEST_CASE("volumes read as nibabel reads them, and are written back the same", "[io]") {
  TemporaryFolder folder;
  REQUIRE(python(folder.path, R"(
import nibabel as nib, numpy as np
rng = np.random.default_rng(0)
shape = (5, 6, 7)
oblique = np.array([[-0.9, .1, .2, 10], [.15, 1.1, -.3, -20], [.1, .25, 2.9, 30], [0, 0, 0, 1]])
las = np.diag([-1., 1, 1, 1]); las[:3, 3] = 90, -126, -72
def save(name, array, affine=oblique, cls=nib.Nifti1Image, endian='<', scale=None, sform=2, qform=1, ext=False):
    header = (nib.Nifti2Header if cls is nib.Nifti2Image else nib.Nifti1Header)(endianness=endian)
    header.set_data_dtype(array.dtype)
    image = cls(array, affine, header)
    rotation = affine.copy()
    image.set_sform(affine, sform); image.set_qform(affine, qform)
    image.header['descrip'] = b'kept'
    if scale: image.header.set_slope_inter(*scale)
    if ext: image.header.extensions.append(nib.nifti1.Nifti1Extension('comment', b'an extension'))
    nib.save(image, name)
for t in 'u1 i1 u2 i2 u4 i4 u8 i8 f4 f8'.split():
    a = rng.integers(0 if t[0] == 'u' else -100, 120, shape).astype(t) if t[0] != 'f' else rng.normal(0, 9, shape).astype(t)
    save(f'{t}.nii.gz', a)
    save(f'big_{t}.nii', a, endian='>')
    save(f'two_{t}.nii.gz', a, cls=nib.Nifti2Image, endian='>' if t == 'i2' else '<')
save('slope.nii.gz', rng.normal(0, 9, shape).astype('i2'), scale=(0.37, -12))
save('las.nii', rng.normal(0, 9, shape).astype('f4'), affine=las)
save('qform.nii', rng.normal(0, 9, shape).astype('f4'), sform=0)
save('qform_las.nii', rng.normal(0, 9, shape).astype('f4'), affine=las, sform=0)
save('pixdim.nii', rng.normal(0, 9, shape).astype('f4'), sform=0, qform=0)
save('one_frame.nii.gz', rng.normal(0, 9, shape + (1,)).astype('f4'))
save('ext.nii.gz', rng.integers(0, 9, shape).astype('u1'), ext=True)
)"));
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder.path))
    if (ipa::is_nifti_name(entry.path())) names.push_back(entry.path().filename().string());
  CHECK(names.size() == 37);
  fs::create_directory(folder / "out");
  for (const std::string& name : names) {
    INFO(name);
    dump(folder.path, name);
    const ipa::Nifti volume = ipa::read_nifti(folder / name);
    ipa::write_nifti(folder.path / "out" / name, volume, false);
    ipa::write_nifti(folder.path / "out" / ("zero_" + name), ipa::like(volume, NumberType::u8), false);
    if (!name.ends_with(".gz")) CHECK(slurp(folder / name) == slurp(folder.path / "out" / name));
  }
  CHECK(python(folder.path, R"(
import glob, nibabel as nib, numpy as np
for name in glob.glob('*.nii') + glob.glob('*.nii.gz'):
    theirs = nib.load(name)
    affine = np.fromfile(name + '.affine').reshape(3, 4)
    assert np.allclose(affine, theirs.affine[:3], rtol=1e-5, atol=1e-5), (name, affine, theirs.affine)
    values = np.fromfile(name + '.values', 'f4').reshape(theirs.shape[:3], order='F')
    assert np.allclose(values, np.squeeze(theirs.get_fdata()), rtol=1e-6, atol=1e-5), name
    ours = nib.load('out/' + name)
    assert type(ours) is type(theirs) and ours.header.binaryblock == theirs.header.binaryblock, name
    assert ours.header.extensions == theirs.header.extensions
    assert (np.asanyarray(ours.dataobj) == np.asanyarray(theirs.dataobj)).all() and (ours.affine == theirs.affine).all()
    zero = nib.load('out/zero_' + name)
    assert zero.get_data_dtype() == np.uint8 and (zero.affine == theirs.affine).all() and not zero.get_fdata().any()
assert nib.load('out/ext.nii.gz').header.extensions[0].get_content() == b'an extension'
)"));
}

TEST_CASE("values go back through slope and intercept, rounded and clamped", "[io]") {
  ipa::Nifti v;
  v.type = NumberType::i16;
  v.slope = 0.5, v.inter = 10;
  const float values[] = {10, 10.6f, 1e9f, -1e9f};
  int16_t stored[4];
  ipa::store_values(v, values, 4, stored);
  CHECK(std::vector<int16_t>(stored, stored + 4) == std::vector<int16_t>{0, 1, 32767, -32768});
}

TEST_CASE("hostile volumes are input errors, before memory is taken", "[io]") {
  TemporaryFolder folder;
  const auto refuse = [&](const std::string& bytes, const std::string& part) {
    std::ofstream(folder / "h.nii", std::ios::binary) << bytes;
    CHECK(error_kind([&] { ipa::read_nifti(folder / "h.nii", 1 << 20); }, part) == 3);
  };
  REQUIRE(plain({3, 4, 4, 4}, 64).size() == 416);
  std::ofstream(folder / "good.nii", std::ios::binary) << plain({3, 4, 4, 4}, 64);
  CHECK(ipa::read_nifti(folder / "good.nii").size == std::array<uint64_t, 3>{4, 4, 4});
  refuse(plain({-50, 4, 4, 4}, 448), "-50 dimensions");
  refuse(plain({200, 4, 4, 4}, 448), "200 dimensions");
  refuse(plain({2, 4, 4, 1}, 64), "2 dimensions");
  refuse(plain({3, 4, -4, 4}, 64), "size -4");
  refuse(plain({3, 4, 0, 4}, 64), "size 0");
  refuse(plain({3, 32767, 32767, 32767}, 448), "shorter");
  refuse(plain({7, 32767, 32767, 32767, 2, 1, 1, 1}, 448), "frames");
  refuse(plain({3, 4, 4, 4}, 63), "shorter");
  refuse(plain({3, 4, 4, 4}, 64, 128), "data type 128");
  refuse(plain({3, 128, 128, 128}, 128 * 128 * 128), "limit");
  refuse("", "shorter");
  refuse("text that is no volume, but long enough to hold a header of some kind", "not a NIfTI");
  refuse(plain({3, 4, 4, 4}, 64).substr(0, 200), "shorter");
  std::string bytes = plain({3, 4, 4, 4}, 64);
  bytes[345] = 'i';
  refuse(bytes, "pair");
  for (const float offset : {0.0f, -5.0f, 1e30f, std::nanf("")}) {
    bytes = plain({3, 4, 4, 4}, 64);
    std::memcpy(bytes.data() + 108, &offset, 4);
    refuse(bytes, "out of range");
  }
  for (const float spacing : {0.0f, INFINITY, std::nanf("")}) {
    bytes = plain({3, 4, 4, 4}, 64);
    std::memcpy(bytes.data() + 80, &spacing, 4);
    refuse(bytes, "orientation");
  }
  CHECK(error_kind([&] { ipa::read_nifti(folder / "missing.nii"); }, "missing.nii") == 4);
  CHECK(error_kind([&] { ipa::read_nifti(folder.path); }, "folder") == 4);
}

TEST_CASE("gzip bombs, truncation and damage are noticed", "[io]") {
  TemporaryFolder folder;
  std::string bytes = plain({3, 64, 64, 64}, 64 * 64 * 64);
  for (size_t i = 352; i < bytes.size(); ++i) bytes[i] = char(i * i / 7);
  std::ofstream(folder / "a.nii", std::ios::binary) << bytes;
  ipa::write_nifti(folder / "a.nii.gz", ipa::read_nifti(folder / "a.nii"), false);
  const std::string good = slurp(folder / "a.nii.gz");
  REQUIRE(good.size() < bytes.size());
  const auto refuse = [&](const std::string& content, const std::string& part) {
    std::ofstream(folder / "b.nii.gz", std::ios::binary) << content;
    CHECK(error_kind([&] { ipa::read_nifti(folder / "b.nii.gz", 1 << 24); }, part) == 3);
  };
  refuse(good.substr(0, good.size() / 2), "");
  std::string bad = good;
  bad[bad.size() - 6] = char(bad[bad.size() - 6] ^ 1);  // the checksum
  refuse(bad, "damaged");
  for (const size_t cut : {1, 4, 8}) refuse(good.substr(0, good.size() - cut), "damaged");  // all voxels, no checksum
  // More than the header promises is read for the checksum behind it, within the limit.
  const auto longer = [&](size_t more) {
    const std::string all = plain({3, 8, 8, 8}, 512 + more);
    gzFile file = gzopen((folder / "longer.nii.gz").c_str(), "wb9");
    gzwrite(file, all.data(), unsigned(all.size()));
    gzclose(file);
    return slurp(folder / "longer.nii.gz");
  };
  bad = longer(300'000);
  CHECK(ipa::read_nifti(folder / "longer.nii.gz", 1 << 24).voxels.size() == 512);
  bad[bad.size() - 6] = char(bad[bad.size() - 6] ^ 1);
  refuse(bad, "damaged");
  refuse(longer(20 << 20), "more data");
  // 1 GiB promised by a few bytes: refused by the ratio; a real bomb, by the limit.
  std::string header = plain({3, 1024, 1024, 1024}, 0);
  gzFile file = gzopen((folder / "small.nii.gz").c_str(), "wb9");
  gzwrite(file, header.data(), unsigned(header.size()));
  gzclose(file);
  refuse(slurp(folder / "small.nii.gz"), "shorter");
  header = plain({3, 512, 512, 512}, 0);
  file = gzopen((folder / "bomb.nii.gz").c_str(), "wb9");
  gzwrite(file, header.data(), unsigned(header.size()));
  const std::string zeros(1 << 20, '\0');
  for (int i = 0; i < 128; ++i) gzwrite(file, zeros.data(), 1 << 20);
  gzclose(file);
  refuse(slurp(folder / "bomb.nii.gz"), "limit");
}
