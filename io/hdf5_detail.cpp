#include "io/hdf5_detail.h"

#include <fmt/core.h>
#include <hdf5.h>

#include <utility>

namespace ipa::hdf5 {
namespace detail {
namespace {

static_assert(std::is_same_v<hid_t, int64_t>, "Handle stores hid_t as int64_t");

thread_local bool external_link_refused = false;

herr_t refuse_external_link(const char*, const char*, const char*, const char*, unsigned*, hid_t, void*) {
  external_link_refused = true;
  return -1;
}

std::string innermost_message() {
  std::string message;
  H5Ewalk2(
      H5E_DEFAULT, H5E_WALK_UPWARD,
      [](unsigned n, const H5E_error2_t* entry, void* out) -> herr_t {
        if (n == 0 && entry->desc) *static_cast<std::string*>(out) = entry->desc;
        return 0;
      },
      &message);
  return message.empty() ? "no details" : message;
}

// HDF5's messages about files carry times, descriptors and offsets; the cause is all a user needs.
std::string shortened(std::string message) {
  if (const size_t at = message.find("error message = '"); at != std::string::npos) {
    message.erase(0, at + 17);
    message.erase(std::min(message.find('\''), message.size()));
  }
  return message;
}

bool prepare() {
  // Everything is closed explicitly; an exit handler would only complain about files that a full disk left half open.
  H5dont_atexit();
  const bool ready = H5open() >= 0 && H5PLset_loading_state(0) >= 0 && H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr) >= 0;
  require(ready, "HDF5 does not start");
  return ready;
}

}  // namespace

std::unique_lock<std::recursive_mutex> lock() {
  static std::recursive_mutex mutex;
  std::unique_lock guard(mutex);
  [[maybe_unused]] static const bool ready = prepare();
  return guard;
}

int64_t check(int64_t result, ErrorKind kind, std::string_view action, const std::string& where) {
  if (result >= 0 && !external_link_refused) return result;  // H5Oexists_by_name swallows the refusal
  const std::string message = result < 0 ? shortened(innermost_message()) : "";
  H5Eclear2(H5E_DEFAULT);
  if (std::exchange(external_link_refused, false))
    fail(ErrorKind::input, fmt::format("{} (an external link points into another file)", action), where,
         "copy the data into one file, e.g. with h5repack");
  if (message.starts_with("truncated file"))
    fail(ErrorKind::input, "the file is shorter than its data", where, "it is not complete: copy it again");
  fail(kind, fmt::format("{} ({})", action, message), where);
}

const Handle& link_access() {
  static const Handle list = [] {
    Handle created(H5Pcreate(H5P_LINK_ACCESS));
    require(created.id() >= 0 && H5Pset_elink_cb(created.id(), refuse_external_link, nullptr) >= 0, "HDF5 link access");
    return created;
  }();
  return list;
}

int64_t native_type(NumberType type) {
  const hid_t types[] = {H5T_NATIVE_UINT8, H5T_NATIVE_INT8,   H5T_NATIVE_UINT16, H5T_NATIVE_INT16, H5T_NATIVE_UINT32,
                         H5T_NATIVE_INT32, H5T_NATIVE_UINT64, H5T_NATIVE_INT64,  H5T_NATIVE_FLOAT, H5T_NATIVE_DOUBLE};
  return types[static_cast<size_t>(type)];
}

std::optional<NumberType> number_type(int64_t type_id) {
  const H5T_class_t kind = H5Tget_class(type_id);
  const size_t size = H5Tget_size(type_id);
  if (kind == H5T_ENUM && size == 1) return NumberType::u8;  // h5py's bool
  if (kind == H5T_FLOAT) {
    if (size == 4) return NumberType::f32;
    if (size == 8) return NumberType::f64;
  }
  if (kind != H5T_INTEGER) return {};
  const bool is_signed = H5Tget_sign(type_id) == H5T_SGN_2;
  switch (size) {
    case 1:
      return is_signed ? NumberType::i8 : NumberType::u8;
    case 2:
      return is_signed ? NumberType::i16 : NumberType::u16;
    case 4:
      return is_signed ? NumberType::i32 : NumberType::u32;
    case 8:
      return is_signed ? NumberType::i64 : NumberType::u64;
    default:
      return {};
  }
}

bool is_text(int64_t type_id) { return H5Tget_class(type_id) == H5T_STRING; }

std::string trimmed(std::string_view bytes) {
  bytes = bytes.substr(0, bytes.find('\0'));
  return std::string(bytes.substr(0, bytes.find_last_not_of(' ') + 1));
}

Handle text_type(size_t width) {
  Handle type(H5Tcopy(H5T_C_S1));
  H5Tset_size(type.id(), width);
  H5Tset_strpad(type.id(), H5T_STR_NULLPAD);
  H5Tset_cset(type.id(), H5T_CSET_UTF8);
  return type;
}

// Variable-length strings are HDF5's own allocations, one each; fixed-length ones lie in one block.
std::vector<std::string> read_text(int64_t type_id, int64_t space_id, uint64_t count, uint64_t most_bytes,
                                   const std::string& where, const std::function<int(int64_t, void*)>& read) {
  std::vector<std::string> strings;
  strings.reserve(count);
  const Handle memory_type(H5Tcopy(H5T_C_S1));
  H5Tset_cset(memory_type.id(), H5Tget_cset(type_id));
  if (H5Tis_variable_str(type_id) > 0) {
    H5Tset_size(memory_type.id(), H5T_VARIABLE);
    std::vector<char*> pointers(count, nullptr);
    check(read(memory_type.id(), pointers.data()), ErrorKind::input, "cannot read text", where);
    for (const char* pointer : pointers) strings.push_back(pointer ? trimmed(pointer) : "");
    H5Dvlen_reclaim(memory_type.id(), space_id, H5P_DEFAULT, pointers.data());
    return strings;
  }
  const size_t size = H5Tget_size(type_id);
  if (size == 0 || size > most_bytes / std::max<uint64_t>(count, 1))
    fail(ErrorKind::input, fmt::format("{} strings of {} bytes are more than the memory limit", count, size), where);
  H5Tset_size(memory_type.id(), size);
  H5Tset_strpad(memory_type.id(), H5T_STR_NULLPAD);
  std::string block(size * count, '\0');
  check(read(memory_type.id(), block.data()), ErrorKind::input, "cannot read text", where);
  for (uint64_t i = 0; i < count; ++i) strings.push_back(trimmed(std::string_view(block).substr(i * size, size)));
  return strings;
}

}  // namespace detail

std::string library_version() {
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  return fmt::format("{}.{}.{}", major, minor, release);
}

std::vector<std::string> missing_filters() {
  const auto guard = detail::lock();
  std::vector<std::string> missing;
  for (const auto& [id, name] : {std::pair{H5Z_FILTER_DEFLATE, "deflate"},
                                 {H5Z_FILTER_SHUFFLE, "shuffle"},
                                 {H5Z_FILTER_FLETCHER32, "fletcher32"}})
    if (H5Zfilter_avail(id) <= 0) missing.emplace_back(name);
  return missing;
}

Handle& Handle::operator=(Handle&& other) noexcept {
  std::swap(id_, other.id_);
  return *this;
}

Handle::~Handle() {
  if (id_ < 0) return;
  const auto guard = detail::lock();
  if (H5Iis_valid(id_) > 0) H5Idec_ref(id_);
}

uint64_t elements(const Shape& shape, std::string_view where) {
  Uint128 product = 1;
  for (const uint64_t side : shape) {
    product *= side;
    if (product >> 56)
      fail(ErrorKind::input, "an array has an absurd number of elements", where, "the file is damaged");
  }
  return static_cast<uint64_t>(product);
}

}  // namespace ipa::hdf5
