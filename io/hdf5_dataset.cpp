#include <fmt/core.h>
#include <hdf5.h>

#include <algorithm>
#include <array>

#include "io/hdf5_detail.h"

namespace ipa::hdf5 {

using detail::check;

namespace {

constexpr uint64_t most_chunks = uint64_t{1} << 24;

Shape shape_of(int64_t space, const std::string& where) {
  const int rank = H5Sget_simple_extent_ndims(space);
  if (rank < 0 || H5Sget_simple_extent_type(space) == H5S_NULL)
    fail(ErrorKind::input, "the array is empty", where, "write at least one slice");
  Shape shape(static_cast<size_t>(rank));
  static_assert(sizeof(hsize_t) == sizeof(uint64_t));
  if (rank > 0) H5Sget_simple_extent_dims(space, reinterpret_cast<hsize_t*>(shape.data()), nullptr);
  return shape;
}

// The file's dataspace with rows [first, first + count) selected, and the memory's.
std::pair<Handle, Handle> select_rows(int64_t dataset, const Shape& shape, uint64_t first, uint64_t count,
                                      ErrorKind kind, const std::string& where) {
  Handle space(check(H5Dget_space(dataset), kind, "cannot read the shape", where));
  if (shape.empty()) return {std::move(space), Handle(H5Screate(H5S_SCALAR))};
  Shape start(shape.size(), 0), block = shape;
  start[0] = first;
  block[0] = count;
  const auto* sizes = reinterpret_cast<const hsize_t*>(block.data());
  const auto* from = reinterpret_cast<const hsize_t*>(start.data());
  check(H5Sselect_hyperslab(space.id(), H5S_SELECT_SET, from, nullptr, sizes, nullptr), kind, "cannot select rows",
        where);
  return {std::move(space), Handle(H5Screate_simple(static_cast<int>(block.size()), sizes, nullptr))};
}

}  // namespace

Dataset::Dataset(std::shared_ptr<const FileState> file, std::string path, Handle handle)
    : file_(std::move(file)), path_(std::move(path)), handle_(std::move(handle)) {
  const Handle type(check(H5Dget_type(handle_.id()), ErrorKind::input, "cannot read the type", where()));
  const Handle space(check(H5Dget_space(handle_.id()), ErrorKind::input, "cannot read the shape", where()));
  type_ = detail::number_type(type.id());
  shape_ = shape_of(space.id(), where());
}

std::string Dataset::where() const { return fmt::format("{}: {}", file_->path.string(), path_); }

bool Dataset::is_text() const {
  const auto guard = detail::lock();
  const Handle type(check(H5Dget_type(handle_.id()), ErrorKind::input, "cannot read the type", where()));
  return detail::is_text(type.id());
}

void Dataset::check_request(uint64_t bytes) const {
  if (bytes > file_->most_bytes)
    fail(ErrorKind::input,
         fmt::format("reading it takes {} MiB, the limit is {}", bytes >> 20, file_->most_bytes >> 20), where());
}

// Refuses storage that lies outside the file, needs foreign code, or cannot hold what the shape promises.
void Dataset::check_storage() {
  const Handle list(check(H5Dget_create_plist(handle_.id()), ErrorKind::input, "cannot read the layout", where()));
  const Handle type(check(H5Dget_type(handle_.id()), ErrorKind::input, "cannot read the type", where()));
  const H5D_layout_t layout = H5Pget_layout(list.id());
  if (layout == H5D_VIRTUAL || H5Pget_external_count(list.id()) > 0)
    fail(ErrorKind::input, "the data lie in other files", where(), "copy them into one file, e.g. with h5repack");

  const uint64_t element_bytes = H5Tget_size(type.id());
  const Uint128 logical = Uint128{elements(shape_, where())} * element_bytes;
  unsigned largest_expansion = 1;
  if (layout == H5D_CHUNKED) {
    std::array<hsize_t, H5S_MAX_RANK> chunk{};
    H5Pget_chunk(list.id(), H5S_MAX_RANK, chunk.data());
    Uint128 chunk_bytes = element_bytes, chunks = 1;  // HDF5 keeps a chunk below 4 GiB
    for (size_t i = 0; i < shape_.size(); ++i) {
      chunk_bytes *= chunk[i];
      chunks *= (shape_[i] + chunk[i] - 1) / chunk[i];
    }
    if (chunk_bytes > file_->most_bytes)
      fail(ErrorKind::input, "one chunk is larger than the memory limit", where(),
           "rewrite the file with smaller chunks: h5repack -l CHUNK=1x256x256");
    if (chunks > most_chunks) fail(ErrorKind::input, "it is stored in too many chunks", where(), "use larger chunks");
    for (int i = 0; i < H5Pget_nfilters(list.id()); ++i) {
      unsigned flags = 0;
      size_t values = 0;
      const H5Z_filter_t filter = H5Pget_filter2(list.id(), unsigned(i), &flags, &values, nullptr, 0, nullptr, nullptr);
      if (filter < 0 || H5Zfilter_avail(filter) <= 0)
        fail(ErrorKind::input, fmt::format("compressed by filter {}, which is not supported", int(filter)), where(),
             "rewrite the file with h5repack -f GZIP=4");
      largest_expansion = 1100;  // deflate's is 1032
    }
  }
  stored_bytes_ = H5Dget_storage_size(handle_.id());  // visits every chunk, hence the limit above
  if (Uint128{stored_bytes_} * largest_expansion < logical)
    fail(ErrorKind::input,
         fmt::format("the shape promises {} MiB, only {} bytes are stored", uint64_t(logical >> 20), stored_bytes_),
         where(), "the file is damaged or was never filled");
  std::error_code no_size;
  const uint64_t file_bytes = std::filesystem::file_size(file_->path, no_size);
  if (!no_size && stored_bytes_ > file_bytes)
    fail(ErrorKind::input, "the file is shorter than its data", where(), "it is not complete: copy it again");
}

void Dataset::read_rows(uint64_t first, uint64_t count, NumberType as, void* out) const {
  const uint64_t rows = shape_.empty() ? 1 : shape_[0];
  require(first <= rows && count <= rows - first, "hdf5 read_rows: rows out of range");
  if (!type_)
    fail(ErrorKind::input, "it does not hold plain numbers", where(), "supported: 8 to 64 bit integers, f32, f64");
  if (!converts_exactly(*type_, as))
    fail(ErrorKind::input, fmt::format("it holds {}, expected {}", name_of(*type_), name_of(as)), where());
  if (count == 0 || elements(shape_) == 0) return;
  check_request(elements(shape_) / rows * count * bytes_of(as));
  const auto guard = detail::lock();
  const auto [space, memory] = select_rows(handle_.id(), shape_, first, count, ErrorKind::input, where());
  check(H5Dread(handle_.id(), detail::native_type(as), memory.id(), space.id(), H5P_DEFAULT, out), ErrorKind::input,
        "cannot read", where());
}

std::vector<std::string> Dataset::read_strings() const {
  const auto guard = detail::lock();
  const Handle type(check(H5Dget_type(handle_.id()), ErrorKind::input, "cannot read the type", where()));
  if (!detail::is_text(type.id())) fail(ErrorKind::input, "it does not hold text", where());
  const uint64_t count = elements(shape_);
  check_request(count * sizeof(std::string));
  const Handle space(check(H5Dget_space(handle_.id()), ErrorKind::input, "cannot read the shape", where()));
  return detail::read_text(
      type.id(), space.id(), count, file_->most_bytes, where(), [&](int64_t memory_type, void* out) {
        return count == 0 ? 0 : H5Dread(handle_.id(), memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out);
      });
}

void Dataset::write_rows(uint64_t first, uint64_t count, const void* values) {
  const uint64_t rows = shape_.empty() ? 1 : shape_[0];
  require(type_.has_value() && first <= rows && count <= rows - first, "hdf5 write_rows: rows out of range");
  if (count == 0 || elements(shape_) == 0) return;
  const auto guard = detail::lock();
  const auto [space, memory] = select_rows(handle_.id(), shape_, first, count, ErrorKind::io, where());
  check(H5Dwrite(handle_.id(), detail::native_type(*type_), memory.id(), space.id(), H5P_DEFAULT, values),
        ErrorKind::io, "cannot write", where());
}

void Dataset::extend(uint64_t rows) {
  require(!shape_.empty(), "hdf5 extend: a scalar has no rows");
  const auto guard = detail::lock();
  shape_[0] = rows;
  check(H5Dset_extent(handle_.id(), reinterpret_cast<const hsize_t*>(shape_.data())), ErrorKind::io, "cannot extend",
        where());
}

}  // namespace ipa::hdf5
