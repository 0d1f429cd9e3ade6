#include <fmt/core.h>
#include <hdf5.h>

#include <algorithm>

#include "io/hdf5_detail.h"

namespace ipa::hdf5 {

using detail::check;

namespace {

struct Attribute {
  Handle handle, type, space;
  uint64_t count;
};

Attribute open_attribute(int64_t file, const std::string& object, const std::string& name, uint64_t most_bytes,
                         const std::string& where) {
  Attribute a;
  a.handle = Handle(check(H5Aopen_by_name(file, object.c_str(), name.c_str(), H5P_DEFAULT, detail::link_access().id()),
                          ErrorKind::input, "cannot open the attribute", where));
  a.type = Handle(check(H5Aget_type(a.handle.id()), ErrorKind::input, "cannot read the attribute's type", where));
  a.space = Handle(check(H5Aget_space(a.handle.id()), ErrorKind::input, "cannot read the attribute's size", where));
  const hssize_t count = H5Sget_simple_extent_npoints(a.space.id());
  const uint64_t largest = most_bytes / std::max<uint64_t>(H5Tget_size(a.type.id()), sizeof(double));
  if (count < 0 || static_cast<uint64_t>(count) > largest)
    fail(ErrorKind::input, "the attribute is larger than the memory limit", where);
  a.count = static_cast<uint64_t>(count);
  return a;
}

}  // namespace

std::vector<std::string> File::attributes(const std::string& object) const {
  const auto guard = detail::lock();
  std::vector<std::string> names;
  const auto collect = [](hid_t, const char* name, const H5A_info_t*, void* out) -> herr_t {
    static_cast<std::vector<std::string>*>(out)->emplace_back(name);
    return 0;
  };
  check(H5Aiterate_by_name(state_->file.id(), object.c_str(), H5_INDEX_NAME, H5_ITER_NATIVE, nullptr, collect, &names,
                           detail::link_access().id()),
        ErrorKind::input, "cannot list the attributes", where(object));
  std::sort(names.begin(), names.end());
  return names;
}

bool File::has_attribute(const std::string& object, const std::string& name) const {
  const auto guard = detail::lock();
  return check(H5Aexists_by_name(state_->file.id(), object.c_str(), name.c_str(), detail::link_access().id()),
               ErrorKind::input, "cannot look up the attribute", where(object + "@" + name)) > 0;
}

std::vector<double> File::numbers(const std::string& object, const std::string& name) const {
  const auto guard = detail::lock();
  const std::string place = where(object + "@" + name);
  const Attribute a = open_attribute(state_->file.id(), object, name, state_->most_bytes, place);
  if (!detail::number_type(a.type.id())) fail(ErrorKind::input, "the attribute does not hold numbers", place);
  std::vector<double> values(a.count);
  if (a.count > 0)
    check(H5Aread(a.handle.id(), H5T_NATIVE_DOUBLE, values.data()), ErrorKind::input, "cannot read the attribute",
          place);
  return values;
}

std::string File::text(const std::string& object, const std::string& name) const {
  const auto guard = detail::lock();
  const std::string place = where(object + "@" + name);
  const Attribute a = open_attribute(state_->file.id(), object, name, state_->most_bytes, place);
  if (!detail::is_text(a.type.id()) || a.count != 1)
    fail(ErrorKind::input, "the attribute does not hold one text", place);
  return detail::read_text(a.type.id(), a.space.id(), 1, state_->most_bytes, place,
                           [&](int64_t type, void* out) { return H5Aread(a.handle.id(), type, out); })[0];
}

void File::set_attribute(const std::string& object, const std::string& name, NumberType type, uint64_t count,
                         const void* values) {
  const auto guard = detail::lock();
  const std::string place = where(object + "@" + name);
  const hsize_t size = count;
  const Handle space(count == 1 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &size, nullptr));
  const Handle handle(
      check(H5Acreate_by_name(state_->file.id(), object.c_str(), name.c_str(), detail::native_type(type), space.id(),
                              H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
            ErrorKind::io, "cannot create the attribute", place));
  if (count > 0)
    check(H5Awrite(handle.id(), detail::native_type(type), values), ErrorKind::io, "cannot write the attribute", place);
}

void File::set_text(const std::string& object, const std::string& name, std::string_view value) {
  const auto guard = detail::lock();
  const std::string place = where(object + "@" + name);
  const std::string bytes = value.empty() ? std::string(1, '\0') : std::string(value);
  const Handle type = detail::text_type(bytes.size()), space(H5Screate(H5S_SCALAR));
  const Handle handle(check(H5Acreate_by_name(state_->file.id(), object.c_str(), name.c_str(), type.id(), space.id(),
                                              H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                            ErrorKind::io, "cannot create the attribute", place));
  check(H5Awrite(handle.id(), type.id(), bytes.data()), ErrorKind::io, "cannot write the attribute", place);
}

std::optional<AttributeValue> File::attribute(const std::string& object, const std::string& name) const {
  const auto guard = detail::lock();
  const std::string place = where(object + "@" + name);
  const Attribute a = open_attribute(state_->file.id(), object, name, state_->most_bytes, place);
  if (detail::is_text(a.type.id()) && a.count == 1) return AttributeValue{{}, text(object, name)};
  const auto type = detail::number_type(a.type.id());
  if (!type) return {};
  AttributeValue value{type, std::string(a.count * bytes_of(*type), '\0')};
  if (a.count > 0)
    check(H5Aread(a.handle.id(), detail::native_type(*type), value.bytes.data()), ErrorKind::input,
          "cannot read the attribute", place);
  return value;
}

void File::set_attribute(const std::string& object, const std::string& name, const AttributeValue& value) {
  if (!value.type)
    set_text(object, name, value.bytes);
  else
    set_attribute(object, name, *value.type, value.bytes.size() / bytes_of(*value.type), value.bytes.data());
}

}  // namespace ipa::hdf5
