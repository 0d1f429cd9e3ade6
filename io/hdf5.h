// HDF5 files as this program uses them: arrays of numbers, fixed-length strings, attributes. Reading distrusts the
// file: no plugins, no external links, no external or virtual storage, sizes checked before anything is allocated. Yet
// the library crashes on some damaged files, so what users name is read through io/foreign_file.h; this is for our own.
//
// Errors are ipa::Error: ErrorKind::io where a file cannot be opened or written, ErrorKind::input where its content is
// at fault; the message names the file, the object and HDF5's innermost complaint. HDF5 keeps global state, so every
// call takes one process-wide lock: a thread may write a checkpoint while another reads slices.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/number_type.h"

namespace ipa::hdf5 {

using Shape = std::vector<uint64_t>;

std::string library_version();               // "1.10.8"
std::vector<std::string> missing_filters();  // of those that our files use: "deflate", "shuffle", "fletcher32"

// The product; from 2^56 on it throws ErrorKind::input, naming `where`.
uint64_t elements(const Shape& shape, std::string_view where = {});

class Handle {  // owns one of HDF5's identifiers
 public:
  explicit Handle(int64_t id = -1) : id_(id) {}
  Handle(Handle&& other) noexcept : id_(other.release()) {}
  Handle& operator=(Handle&& other) noexcept;
  ~Handle();
  int64_t id() const { return id_; }
  int64_t release() noexcept { return std::exchange(id_, -1); }

 private:
  int64_t id_;
};

// How an array is stored: always shuffled, deflated and followed by a fletcher32 checksum in each chunk.
struct Storage {
  Shape chunk = {};         // empty: the whole array is one chunk
  int deflate = 4;          // 0 (weights hardly shrink) to 9
  bool extendible = false;  // along the first dimension, see Dataset::extend
};

struct AttributeValue {
  std::optional<NumberType> type;  // of numbers; nothing for text
  std::string bytes;               // the numbers in this machine's byte order, or the text
};

struct FileState;

class Dataset {
 public:
  const Shape& shape() const { return shape_; }
  std::optional<NumberType> type() const { return type_; }  // nothing for strings, compounds, ...
  bool is_text() const;
  uint64_t stored_bytes() const { return stored_bytes_; }  // of an opened one, in the file, compressed

  // Rows [first, first + count) of the first dimension (of a scalar: the one row 0), converted by HDF5 where the stored
  // type differs in byte order or width; a conversion that could lose something is an input error.
  void read_rows(uint64_t first, uint64_t count, NumberType as, void* out) const;
  template <class T>
  std::vector<T> read() const;  // the whole array
  std::vector<std::string> read_strings() const;

  void write_rows(uint64_t first, uint64_t count, const void* values);  // of type()
  void extend(uint64_t rows);                                           // sets the first dimension's length

 private:
  friend class File;
  Dataset(std::shared_ptr<const FileState> file, std::string path, Handle handle);
  std::string where() const;
  void check_storage();
  void check_request(uint64_t bytes) const;

  std::shared_ptr<const FileState> file_;
  std::string path_;
  Handle handle_;
  Shape shape_;
  std::optional<NumberType> type_;
  uint64_t stored_bytes_ = 0;
};

class File {
 public:
  // One read allocates at most `most_bytes`.
  static File open(const std::filesystem::path& path, uint64_t most_bytes = uint64_t{16} << 30);
  static File create(const std::filesystem::path& path);  // truncates; meant for AtomicFile::temporary()
  void close();  // after writing: makes sure that all of it reached the file; every Dataset of it must be gone

  const std::filesystem::path& path() const;
  bool exists(const std::string& object) const;
  bool is_group(const std::string& object) const;
  std::vector<std::string> members(const std::string& group = "/") const;  // names, sorted
  Dataset dataset(const std::string& object) const;  // refuses external and virtual storage, unknown filters

  template <class T>
  std::vector<T> read(const std::string& object) const {
    return dataset(object).read<T>();
  }
  std::vector<std::string> read_strings(const std::string& object) const { return dataset(object).read_strings(); }

  // Missing groups on the way are created. An empty shape is a scalar.
  Dataset create_dataset(const std::string& object, NumberType type, const Shape& shape, const Storage& storage = {});
  template <class T>
  void write(const std::string& object, std::span<const T> values, const Shape& shape, const Storage& storage = {}) {
    require(values.size() == elements(shape), "hdf5 write: the values do not fill the shape");
    create_dataset(object, number_type_of<T>(), shape, storage)
        .write_rows(0, shape.empty() ? 1 : shape[0], values.data());
  }
  void write_strings(const std::string& object, std::span<const std::string> values);  // fixed-length UTF-8, (N)
  void create_group(const std::string& object);

  // Attributes of a group or dataset.
  std::vector<std::string> attributes(const std::string& object = "/") const;  // names, sorted
  bool has_attribute(const std::string& object, const std::string& name) const;
  std::vector<double> numbers(const std::string& object, const std::string& name) const;  // of any number type
  std::string text(const std::string& object, const std::string& name) const;             // fixed or variable length
  // Nothing where it is neither numbers nor one text.
  std::optional<AttributeValue> attribute(const std::string& object, const std::string& name) const;
  template <class T>
  void set_numbers(const std::string& object, const std::string& name, std::span<const T> values) {
    set_attribute(object, name, number_type_of<T>(), values.size(), values.data());
  }
  template <class T>
  void set_number(const std::string& object, const std::string& name, T value) {
    set_numbers(object, name, std::span<const T>(&value, 1));
  }
  void set_text(const std::string& object, const std::string& name, std::string_view value);
  void set_attribute(const std::string& object, const std::string& name, const AttributeValue& value);

 private:
  explicit File(std::shared_ptr<const FileState> state) : state_(std::move(state)) {}
  std::string where(const std::string& object) const;
  void set_attribute(const std::string& object, const std::string& name, NumberType type, uint64_t count,
                     const void* values);

  std::shared_ptr<const FileState> state_;
};

template <class T>
std::vector<T> Dataset::read() const {
  const uint64_t count = elements(shape_);
  check_request(count * sizeof(T));
  std::vector<T> values(count);
  read_rows(0, shape_.empty() ? 1 : shape_[0], number_type_of<T>(), values.data());
  return values;
}

}  // namespace ipa::hdf5
