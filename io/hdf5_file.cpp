#include <fcntl.h>
#include <fmt/core.h>
#include <hdf5.h>
#include <unistd.h>

#include <algorithm>

#include "io/atomic_file.h"
#include "io/hdf5_detail.h"

namespace ipa::hdf5 {

using detail::check;

namespace {

Handle file_access() {
  Handle list(H5Pcreate(H5P_FILE_ACCESS));
  // The latest format has checksums on its metadata; a network file system without locks must not stop a reader.
  check(H5Pset_libver_bounds(list.id(), H5F_LIBVER_LATEST, H5F_LIBVER_LATEST), ErrorKind::internal, "HDF5 version", "");
  check(H5Pset_file_locking(list.id(), false, true), ErrorKind::internal, "HDF5 file locking", "");
  check(H5Pset_fclose_degree(list.id(), H5F_CLOSE_SEMI), ErrorKind::internal, "HDF5 closing", "");
  return list;
}

// Written chunks go to the file at once. From a cache they would go when the dataset is closed, and where that fails
// HDF5 drops them: a disk that is full for a moment would leave a file with holes.
Handle without_chunk_cache() {
  Handle list(H5Pcreate(H5P_DATASET_ACCESS));
  check(H5Pset_chunk_cache(list.id(), 0, 0, H5D_CHUNK_CACHE_W0_DEFAULT), ErrorKind::internal, "HDF5 chunk cache", "");
  return list;
}

// HDF5's own message would be about superblocks, so the usual reasons are looked for first.
void check_readable(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a FIFO would wait for a writer
  if (descriptor < 0) fail_errno("cannot open", path);
  ::close(descriptor);
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored))
    fail(ErrorKind::io,
         std::filesystem::is_directory(path, ignored) ? "cannot open: it is a folder" : "cannot open: it is no file",
         path.string(), "name a file");
  if (H5Fis_hdf5(path.c_str()) <= 0) {
    H5Eclear2(H5E_DEFAULT);
    fail(ErrorKind::input, "not an HDF5 file", path.string(),
         "it is of another format, empty or damaged: name another file, or copy it again");
  }
}

}  // namespace

File File::open(const std::filesystem::path& path, uint64_t most_bytes) {
  const auto guard = detail::lock();
  check_readable(path);
  const Handle access = file_access();
  Handle file(
      check(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.id()), ErrorKind::input, "cannot open", path.string()));
  return File(std::make_shared<FileState>(path, most_bytes, std::move(file)));
}

File File::create(const std::filesystem::path& path) {
  const auto guard = detail::lock();
  const Handle access = file_access();
  Handle file(check(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.id()), ErrorKind::io, "cannot create",
                    path.string()));
  return File(std::make_shared<FileState>(path, ~uint64_t{0}, std::move(file)));
}

void File::close() {
  const auto guard = detail::lock();
  check(H5Fflush(state_->file.id(), H5F_SCOPE_GLOBAL), ErrorKind::io, "cannot write", path().string());
  require(H5Fget_obj_count(state_->file.id(), H5F_OBJ_ALL) == 1, "hdf5 close: a dataset of the file is still open");
  check(H5Fclose(state_->file.release()), ErrorKind::io, "cannot write", path().string());
}

const std::filesystem::path& File::path() const { return state_->path; }

std::string File::where(const std::string& object) const { return fmt::format("{}: {}", path().string(), object); }

bool File::exists(const std::string& object) const {
  const auto guard = detail::lock();
  // H5Lexists fails where a group on the way is missing, so each part of the path is asked for in turn.
  for (size_t end = 0; end != std::string::npos;) {
    end = object.find('/', end + 1);
    const std::string prefix = object.substr(0, end);
    if (prefix.empty() || prefix == "/") continue;
    const htri_t there = H5Lexists(state_->file.id(), prefix.c_str(), detail::link_access().id());
    if (check(there, ErrorKind::input, "cannot look up", where(prefix)) == 0) return false;
    const htri_t leads = H5Oexists_by_name(state_->file.id(), prefix.c_str(), detail::link_access().id());
    if (check(leads, ErrorKind::input, "cannot follow", where(prefix)) == 0) return false;
  }
  return true;
}

bool File::is_group(const std::string& object) const {
  const auto guard = detail::lock();
  if (!exists(object)) return false;
  const Handle handle(check(H5Oopen(state_->file.id(), object.c_str(), detail::link_access().id()), ErrorKind::input,
                            "cannot open", where(object)));
  return H5Iget_type(handle.id()) == H5I_GROUP;
}

std::vector<std::string> File::members(const std::string& group) const {
  const auto guard = detail::lock();
  const Handle handle(check(H5Gopen2(state_->file.id(), group.c_str(), H5P_DEFAULT), ErrorKind::input,
                            "cannot open the group", where(group)));
  std::vector<std::string> names;
  const auto collect = [](hid_t, const char* name, const H5L_info_t*, void* out) -> herr_t {
    static_cast<std::vector<std::string>*>(out)->emplace_back(name);
    return 0;
  };
  check(H5Literate(handle.id(), H5_INDEX_NAME, H5_ITER_NATIVE, nullptr, collect, &names), ErrorKind::input,
        "cannot list the group", where(group));
  std::sort(names.begin(), names.end());
  return names;
}

Dataset File::dataset(const std::string& object) const {
  const auto guard = detail::lock();
  if (!exists(object)) fail(ErrorKind::input, "no such dataset", where(object), "h5ls -r lists what the file holds");
  if (is_group(object))
    fail(ErrorKind::input, "it is a group, not a dataset", where(object), "h5ls -r lists what the file holds");
  Handle handle(check(H5Dopen2(state_->file.id(), object.c_str(), H5P_DEFAULT), ErrorKind::input,
                      "cannot open the dataset", where(object)));
  Dataset result(state_, object, std::move(handle));
  result.check_storage();
  return result;
}

Dataset File::create_dataset(const std::string& object, NumberType type, const Shape& shape, const Storage& storage) {
  const auto guard = detail::lock();
  const Handle links(H5Pcreate(H5P_LINK_CREATE)), list(H5Pcreate(H5P_DATASET_CREATE));
  H5Pset_create_intermediate_group(links.id(), 1);
  H5Pset_fill_time(list.id(), H5D_FILL_TIME_NEVER);
  Shape longest = shape;
  if (!shape.empty() && (elements(shape) > 0 || storage.extendible)) {
    Shape chunk = storage.chunk.empty() ? shape : storage.chunk;
    require(chunk.size() == shape.size() && elements(chunk) > 0, "hdf5 create_dataset: bad chunk");
    if (!storage.extendible)
      for (size_t i = 0; i < shape.size(); ++i) chunk[i] = std::min(chunk[i], shape[i]);
    const auto rank = static_cast<int>(shape.size());
    H5Pset_chunk(list.id(), rank, reinterpret_cast<const hsize_t*>(chunk.data()));
    H5Pset_shuffle(list.id());
    if (storage.deflate > 0) H5Pset_deflate(list.id(), static_cast<unsigned>(storage.deflate));
    H5Pset_fletcher32(list.id());
    if (storage.extendible) longest[0] = H5S_UNLIMITED;
  }
  const auto* sizes = reinterpret_cast<const hsize_t*>(shape.data());
  const Handle space(shape.empty() ? H5Screate(H5S_SCALAR)
                                   : H5Screate_simple(static_cast<int>(shape.size()), sizes,
                                                      reinterpret_cast<const hsize_t*>(longest.data())));
  Handle handle(check(H5Dcreate2(state_->file.id(), object.c_str(), detail::native_type(type), space.id(), links.id(),
                                 list.id(), without_chunk_cache().id()),
                      ErrorKind::io, "cannot create the dataset", where(object)));
  return Dataset(state_, object, std::move(handle));
}

void File::write_strings(const std::string& object, std::span<const std::string> values) {
  const auto guard = detail::lock();
  size_t width = 1;
  for (const auto& value : values) width = std::max(width, value.size());
  std::string block(width * values.size(), '\0');
  for (size_t i = 0; i < values.size(); ++i) values[i].copy(block.data() + i * width, width);

  const Handle type = detail::text_type(width), links(H5Pcreate(H5P_LINK_CREATE)), list(H5Pcreate(H5P_DATASET_CREATE));
  H5Pset_create_intermediate_group(links.id(), 1);
  const hsize_t count = values.size();
  if (count > 0) {
    H5Pset_chunk(list.id(), 1, &count);
    H5Pset_deflate(list.id(), 4);
    H5Pset_fletcher32(list.id());
  }
  const Handle space(H5Screate_simple(1, &count, nullptr));
  const Handle handle(check(H5Dcreate2(state_->file.id(), object.c_str(), type.id(), space.id(), links.id(), list.id(),
                                       without_chunk_cache().id()),
                            ErrorKind::io, "cannot create the dataset", where(object)));
  if (count > 0)
    check(H5Dwrite(handle.id(), type.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, block.data()), ErrorKind::io, "cannot write",
          where(object));
}

void File::create_group(const std::string& object) {
  const auto guard = detail::lock();
  const Handle links(H5Pcreate(H5P_LINK_CREATE));
  H5Pset_create_intermediate_group(links.id(), 1);
  const Handle group(check(H5Gcreate2(state_->file.id(), object.c_str(), links.id(), H5P_DEFAULT, H5P_DEFAULT),
                           ErrorKind::io, "cannot create the group", where(object)));
}

}  // namespace ipa::hdf5
