// NIfTI-1 and -2, compressed or not, and what is done with a volume's header: its affine, its cut into slices.
#include "io/nifti.h"
#include "io/volume.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::expect_error_at_most([&] {
    const ipa::Nifti volume = ipa::read_nifti(fuzz::as_file(data, size), 16 << 20);
    fuzz::insist(volume.voxels.size() == volume.count() * bytes_of(volume.type));
    const std::vector<float> values = values_of(volume);
    const ipa::AxialCut cut(volume);
    fuzz::insist(cut.count() * cut.height() * cut.width() == values.size());
    std::vector<float> slice(cut.height() * cut.width());
    for (uint64_t s = 0; s < cut.count(); ++s) cut.read(values.data(), s, slice.data());
    ipa::Nifti copy = volume;
    store_values(volume, values.data(), values.size(), copy.voxels.data());
    like(volume, ipa::NumberType::u8);
  });
  return 0;
}
