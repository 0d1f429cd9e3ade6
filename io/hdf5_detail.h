// What the hdf5*.cpp files share; everybody else includes io/hdf5.h.
#pragma once

#include <functional>
#include <mutex>

#include "io/hdf5.h"

namespace ipa::hdf5 {

struct FileState {
  std::filesystem::path path;
  uint64_t most_bytes;
  mutable Handle file;

  FileState(std::filesystem::path where, uint64_t most, Handle handle)
      : path(std::move(where)), most_bytes(most), file(std::move(handle)) {}
};

namespace detail {

// Every call into HDF5 happens under this lock; the first one prepares the library (no plugins, no printing).
std::unique_lock<std::recursive_mutex> lock();

// Passes a non-negative result on; else throws "ACTION (HDF5's innermost message), WHERE".
int64_t check(int64_t result, ErrorKind kind, std::string_view action, const std::string& where);

const Handle& link_access();  // refuses to follow links into other files
int64_t native_type(NumberType type);
std::optional<NumberType> number_type(int64_t type_id);  // of a stored type, either byte order; a bool's is u8
bool is_text(int64_t type_id);
Handle text_type(size_t width);  // fixed-length UTF-8, padded with NULs

// `bytes` as a string up to its first NUL, without padding.
std::string trimmed(std::string_view bytes);
// The `count` strings of a dataset or attribute of text type, fetched by `read(memory type, buffer)`.
std::vector<std::string> read_text(int64_t type_id, int64_t space_id, uint64_t count, uint64_t most_bytes,
                                   const std::string& where, const std::function<int(int64_t, void*)>& read);

}  // namespace detail
}  // namespace ipa::hdf5
