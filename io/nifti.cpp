#include "io/nifti.h"

#include <fmt/core.h>
#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <memory>

#include "io/intensity.h"

namespace fs = std::filesystem;

namespace ipa {
namespace {

constexpr uint64_t most_head_bytes = uint64_t{64} << 20;
constexpr uint64_t gzip_expansion = 1032;

struct Close {
  void operator()(gzFile_s* file) const { gzclose(file); }
};
using File = std::unique_ptr<gzFile_s, Close>;

// Where the two versions keep a field, and as what type.
struct Fields {
  size_t bytes, magic, datatype, bitpix, dim, pixdim, vox_offset, slope, inter, cal_max, cal_min, qform, sform, quatern,
      offset, srow;
};
constexpr Fields version_1{348, 344, 70, 72, 40, 76, 108, 112, 116, 124, 128, 252, 254, 256, 268, 280};
constexpr Fields version_2{540, 4, 12, 14, 16, 104, 168, 176, 184, 192, 200, 344, 348, 352, 376, 400};

struct DataType {
  int code;
  NumberType type;
};
constexpr DataType data_types[] = {{2, NumberType::u8},     {256, NumberType::i8},   {512, NumberType::u16},
                                   {4, NumberType::i16},    {768, NumberType::u32},  {8, NumberType::i32},
                                   {1280, NumberType::u64}, {1024, NumberType::i64}, {16, NumberType::f32},
                                   {64, NumberType::f64}};

template <class T>
T turned(T value) {
  auto bytes = std::bit_cast<std::array<char, sizeof(T)>>(value);
  std::reverse(bytes.begin(), bytes.end());
  return std::bit_cast<T>(bytes);
}

// Reads and writes header fields by version and byte order.
class Header {
 public:
  Header(std::string& bytes, bool version2, bool swapped) : bytes_(bytes), version2_(version2), swapped_(swapped) {}
  const Fields& at() const { return version2_ ? version_2 : version_1; }

  template <class T>
  T get(size_t offset) const {
    T value;
    std::memcpy(&value, bytes_.data() + offset, sizeof value);
    return swapped_ ? turned(value) : value;
  }
  template <class T>
  void set(size_t offset, T value) {
    if (swapped_) value = turned(value);
    std::memcpy(bytes_.data() + offset, &value, sizeof value);
  }
  // Sizes are 16 or 64 bits wide, codes of orientation 16 or 32, real numbers 32 or 64.
  int64_t size(size_t offset, int i) const {
    return version2_ ? get<int64_t>(offset + 8 * i) : get<int16_t>(offset + 2 * i);
  }
  int code(size_t offset) const { return version2_ ? get<int32_t>(offset) : get<int16_t>(offset); }
  double real(size_t offset, int i = 0) const {
    return version2_ ? get<double>(offset + 8 * i) : get<float>(offset + 4 * i);
  }
  void set_real(size_t offset, double value) {
    version2_ ? set<double>(offset, value) : set<float>(offset, static_cast<float>(value));
  }

 private:
  std::string& bytes_;
  bool version2_, swapped_;
};

void swap_voxels(std::vector<char>& voxels, size_t width) {
  if (width > 1)
    for (size_t i = 0; i + width <= voxels.size(); i += width)
      std::reverse(voxels.data() + i, voxels.data() + i + width);
}

// What zlib found, without the file's name, which it puts first.
[[noreturn]] void fail_damaged(gzFile file, const fs::path& path) {
  int code = Z_OK;
  std::string message = gzerror(file, &code);
  if (code == Z_ERRNO) fail_errno("cannot read", path);
  if (const std::string prefix = path.string() + ": "; message.starts_with(prefix)) message.erase(0, prefix.size());
  fail(ErrorKind::input, fmt::format("damaged compressed data ({})", message), path.string());
}

void read_all(gzFile file, char* out, uint64_t count, const fs::path& path) {
  while (count > 0) {
    const int got = gzread(file, out, static_cast<unsigned>(std::min<uint64_t>(count, 1 << 30)));
    if (got < 0) fail_damaged(file, path);
    if (got == 0)
      fail(ErrorKind::input, "the file is shorter than its header promises", path.string(), "it is truncated");
    out += got;
    count -= static_cast<uint64_t>(got);
  }
}

// What lies behind the voxels: nothing, as a rule, but only at its end does zlib look for the checksum and compare it.
void read_to_end(gzFile file, uint64_t most_bytes, const fs::path& path) {
  std::vector<char> rest(1 << 16);
  uint64_t count = 0;
  int got = 0, code = Z_OK;
  while ((got = gzread(file, rest.data(), static_cast<unsigned>(rest.size()))) > 0)
    if ((count += static_cast<uint64_t>(got)) > most_bytes)
      fail(ErrorKind::input, "far more data than its header promises", path.string());
  gzerror(file, &code);
  if (got < 0 || code != Z_OK) fail_damaged(file, path);
}

Affine scaled_columns(const std::array<std::array<double, 3>, 3>& rotation, const std::array<double, 3>& spacing,
                      const std::array<double, 3>& origin) {
  Affine affine;
  for (size_t r = 0; r < 3; ++r) {
    for (size_t c = 0; c < 3; ++c) affine[r][c] = rotation[r][c] * spacing[c];
    affine[r][3] = origin[r];
  }
  return affine;
}

// The quaternion (a, b, c, d) as a rotation, with a >= 0 from unit length (nifti1.h, "METHOD 2"); pixdim[0] < 0 flips
// k.
Affine qform(const Header& h) {
  const double b = h.real(h.at().quatern, 0), c = h.real(h.at().quatern, 1), d = h.real(h.at().quatern, 2);
  const double a = std::sqrt(std::max(0.0, 1 - (b * b + c * c + d * d)));
  const double s = 2 / (a * a + b * b + c * c + d * d);
  const double flip = h.real(h.at().pixdim, 0) < 0 ? -1 : 1;
  return scaled_columns({{{1 - s * (c * c + d * d), s * (b * c - a * d), s * (b * d + a * c)},
                          {s * (b * c + a * d), 1 - s * (b * b + d * d), s * (c * d - a * b)},
                          {s * (b * d - a * c), s * (c * d + a * b), 1 - s * (b * b + c * c)}}},
                        {h.real(h.at().pixdim, 1), h.real(h.at().pixdim, 2), flip * h.real(h.at().pixdim, 3)},
                        {h.real(h.at().offset, 0), h.real(h.at().offset, 1), h.real(h.at().offset, 2)});
}

Affine affine_of(const Header& h, const std::array<uint64_t, 3>& size) {
  Affine affine;
  if (h.code(h.at().sform) > 0) {
    for (int r = 0; r < 3; ++r)
      for (int c = 0; c < 4; ++c) affine[size_t(r)][size_t(c)] = h.real(h.at().srow, 4 * r + c);
    return affine;
  }
  if (h.code(h.at().qform) > 0) return qform(h);
  std::array<double, 3> spacing, origin;
  for (size_t i = 0; i < 3; ++i) {
    spacing[i] = (i == 0 ? -1 : 1) * h.real(h.at().pixdim, static_cast<int>(i) + 1);
    origin[i] = -spacing[i] * static_cast<double>(size[i] - 1) / 2;
  }
  return scaled_columns({{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}}, spacing, origin);
}

// The lengths of the columns; an affine that maps the voxels onto no volume is refused.
std::array<double, 3> spacing_of(const Affine& m, const fs::path& path) {
  std::array<double, 3> spacing;
  for (size_t c = 0; c < 3; ++c) spacing[c] = std::sqrt(m[0][c] * m[0][c] + m[1][c] * m[1][c] + m[2][c] * m[2][c]);
  const double determinant = m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) -
                             m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
                             m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
  const double volume = spacing[0] * spacing[1] * spacing[2];
  if (!std::isfinite(determinant) || !(std::abs(determinant) > 1e-6 * volume) ||
      !std::isfinite(m[0][3] + m[1][3] + m[2][3]))
    fail(ErrorKind::input, "the orientation (sform, qform or pixdim) is not a finite, invertible map", path.string(),
         "repair the header");
  return spacing;
}

// Fills everything but head and voxels from the header; returns where the voxels begin.
uint64_t parse(std::string& bytes, Nifti& volume, const fs::path& path) {
  const auto refuse = [&](const std::string& what) { fail(ErrorKind::input, what, path.string()); };
  const Header h(bytes, volume.version2, volume.swapped);
  const std::string magic = bytes.substr(h.at().magic, 3);
  if (magic == "ni1" || magic == "ni2") refuse("a NIfTI pair (.hdr, .img), only single files (.nii, .nii.gz) are read");
  if (magic != (volume.version2 ? "n+2" : "n+1")) refuse("not a NIfTI file");

  const int64_t rank = h.size(h.at().dim, 0);
  if (rank < 3 || rank > 7) refuse(fmt::format("{} dimensions, a volume has 3", rank));
  Uint128 count = 1;
  for (int i = 1; i <= rank; ++i) {
    const int64_t side = h.size(h.at().dim, i);
    if (side < 1) refuse(fmt::format("dimension {} has the size {}", i, side));
    if (i > 3 && side > 1) refuse(fmt::format("{} frames, only one volume per file is read", side));
    if (i <= 3) volume.size[static_cast<size_t>(i - 1)] = static_cast<uint64_t>(side);
    count *= static_cast<uint64_t>(side);
    if (count >> 56) refuse("an absurd number of voxels");
  }
  const int code = h.get<int16_t>(h.at().datatype);
  const auto* known =
      std::find_if(std::begin(data_types), std::end(data_types), [&](auto& t) { return t.code == code; });
  if (known == std::end(data_types))
    refuse(fmt::format("data type {} is not supported, only plain real numbers", code));
  volume.type = known->type;

  const double slope = h.real(h.at().slope), inter = h.real(h.at().inter);
  if (slope != 0 && std::isfinite(slope)) {
    if (!std::isfinite(inter)) refuse("scl_inter is not finite");
    volume.slope = slope, volume.inter = inter;
  }
  volume.affine = affine_of(h, volume.size);
  volume.spacing = spacing_of(volume.affine, path);

  const double offset =
      volume.version2 ? static_cast<double>(h.get<int64_t>(h.at().vox_offset)) : h.real(h.at().vox_offset);
  const auto least = static_cast<double>(h.at().bytes);
  if (!(offset >= least && offset <= static_cast<double>(most_head_bytes)))
    refuse(fmt::format("the voxels begin at byte {}, out of range", offset));
  return static_cast<uint64_t>(offset);
}

}  // namespace

bool is_nifti_name(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.ends_with(".nii") || name.ends_with(".nii.gz");
}

Nifti read_nifti(const fs::path& path, uint64_t most_bytes) {
  std::error_code no_size;
  if (fs::is_directory(path, no_size)) fail(ErrorKind::io, "cannot open: it is a folder", path.string(), "name a file");
  errno = 0;
  const File file(gzopen(path.c_str(), "rb"));
  if (!file) fail_errno("cannot open", path);
  gzbuffer(file.get(), 1 << 17);

  Nifti volume;
  volume.head.resize(4);
  read_all(file.get(), volume.head.data(), 4, path);
  const int32_t size =
      std::bit_cast<int32_t>(std::array{volume.head[0], volume.head[1], volume.head[2], volume.head[3]});
  volume.swapped = size != 348 && size != 540;
  const int32_t header_bytes = volume.swapped ? turned(size) : size;
  if (header_bytes != 348 && header_bytes != 540)
    fail(ErrorKind::input, "not a NIfTI file", path.string(),
         "name a .nii or .nii.gz; make one of DICOM files with dcm2niix");
  volume.version2 = header_bytes == 540;
  volume.head.resize(static_cast<size_t>(header_bytes));
  read_all(file.get(), volume.head.data() + 4, static_cast<uint64_t>(header_bytes) - 4, path);

  const uint64_t begin = parse(volume.head, volume, path);
  const Uint128 needed = Uint128{volume.count()} * bytes_of(volume.type);
  const uint64_t on_disk = fs::file_size(path, no_size);
  const bool compressed = gzdirect(file.get()) == 0;
  if (!no_size && needed + begin > Uint128{on_disk} * (compressed ? gzip_expansion : 1))
    fail(ErrorKind::input, "the file is shorter than its header promises", path.string(), "it is truncated");
  if (needed > most_bytes)
    fail(ErrorKind::input, fmt::format("{} MiB of voxels, the limit is {}", uint64_t(needed >> 20), most_bytes >> 20),
         path.string());
  volume.head.resize(begin);
  read_all(file.get(), volume.head.data() + header_bytes, begin - static_cast<uint64_t>(header_bytes), path);
  volume.voxels.resize(static_cast<size_t>(needed));
  read_all(file.get(), volume.voxels.data(), volume.voxels.size(), path);
  if (compressed) read_to_end(file.get(), most_bytes, path);
  if (volume.swapped) swap_voxels(volume.voxels, bytes_of(volume.type));
  return volume;
}

void write_nifti(const fs::path& goal, const Nifti& volume, bool overwrite) {
  AtomicFile file(goal, overwrite);
  write_nifti(file, goal, volume);
  file.commit();
}

void write_nifti(const AtomicFile& atomic, const fs::path& goal, const Nifti& volume) {
  require(volume.voxels.size() == volume.count() * bytes_of(volume.type),
          "write_nifti: the voxels do not fill the size");
  errno = 0;
  File file(gzopen(atomic.temporary().c_str(), goal.extension() == ".gz" ? "wb5" : "wbT"));
  if (!file) fail_errno("cannot create", goal);
  const auto write = [&](const char* bytes, uint64_t count) {
    while (count > 0) {
      const auto block = static_cast<unsigned>(std::min<uint64_t>(count, 1 << 28));
      if (gzwrite(file.get(), bytes, block) != static_cast<int>(block)) fail_errno("cannot write", goal);
      bytes += block;
      count -= block;
    }
  };
  write(volume.head.data(), volume.head.size());
  if (volume.swapped) {
    std::vector<char> turned_voxels = volume.voxels;
    swap_voxels(turned_voxels, bytes_of(volume.type));
    write(turned_voxels.data(), turned_voxels.size());
  } else {
    write(volume.voxels.data(), volume.voxels.size());
  }
  if (gzclose(file.release()) != Z_OK) fail_errno("cannot write", goal);
}

Nifti like(const Nifti& volume, NumberType type) {
  Nifti result = volume;
  result.type = type;
  result.slope = 1, result.inter = 0;
  Header h(result.head, result.version2, result.swapped);
  const auto* entry =
      std::find_if(std::begin(data_types), std::end(data_types), [&](auto& t) { return t.type == type; });
  h.set<int16_t>(h.at().datatype, static_cast<int16_t>(entry->code));
  h.set<int16_t>(h.at().bitpix, static_cast<int16_t>(8 * bytes_of(type)));
  h.set_real(h.at().slope, 1);
  for (const size_t field : {h.at().inter, h.at().cal_max, h.at().cal_min}) h.set_real(field, 0);
  result.voxels.assign(volume.count() * bytes_of(type), 0);
  return result;
}

std::vector<float> values_of(const Nifti& volume) {
  std::vector<float> values(volume.count());
  with_number_type(volume.type, [&](auto zero) {
    const auto* in = reinterpret_cast<const decltype(zero)*>(volume.voxels.data());
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<float>(volume.slope * static_cast<double>(in[i]) + volume.inter);
  });
  return values;
}

std::vector<float> finite_values_of(const Nifti& volume, const fs::path& path) {
  std::vector<float> values = values_of(volume);
  if (const uint64_t bad = first_non_finite(NumberType::f32, values.data(), values.size()); bad < values.size())
    fail(ErrorKind::input,
         fmt::format("voxel ({}, {}, {}) is NaN or infinite", bad % volume.size[0],
                     bad / volume.size[0] % volume.size[1], bad / (volume.size[0] * volume.size[1])),
         path.string(), "replace such voxels, e.g. by 0");
  return values;
}

void store_values(const Nifti& volume, const float* values, uint64_t count, void* stored) {
  with_number_type(volume.type, [&](auto zero) {
    using T = decltype(zero);
    auto* out = static_cast<T*>(stored);
    for (uint64_t i = 0; i < count; ++i) out[i] = saturate<T>((double{values[i]} - volume.inter) / volume.slope);
  });
}

}  // namespace ipa
