// HDF5 files of unknown origin, for reading: stacks, masks and weights that users name. The library parses them in a
// child process (io/foreign_reader.h); a file that makes it crash, hang or take too much memory is an error like any
// other. Otherwise like hdf5::File, with its errors. Not for checkpoints, whose seal tells that they are our own.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "io/foreign_reader.h"
#include "io/hdf5.h"
#include "io/packet.h"

namespace ipa {

struct ForeignState;

class ForeignDataset {
 public:
  const hdf5::Shape& shape() const { return shape_; }
  std::optional<NumberType> type() const { return type_; }
  bool is_text() const { return is_text_; }
  uint64_t stored_bytes() const { return stored_bytes_; }

  void read_rows(uint64_t first, uint64_t count, NumberType as, void* out) const;
  template <class T>
  std::vector<T> read() const;
  std::vector<std::string> read_strings() const;

 private:
  friend class ForeignFile;
  ForeignDataset(std::shared_ptr<const ForeignState> file, std::string path);
  void check_request(uint64_t bytes) const;

  std::shared_ptr<const ForeignState> file_;
  std::string path_;
  hdf5::Shape shape_;
  std::optional<NumberType> type_;
  bool is_text_ = false;
  uint64_t stored_bytes_ = 0;
};

class ForeignFile {
 public:
  // One read allocates at most `most_bytes` here.
  static ForeignFile open(const std::filesystem::path& path, uint64_t most_bytes = uint64_t{16} << 30,
                          const ForeignLimits& limits = {});

  // Answered by another reader; believed no more than a child.
  ForeignFile(const std::filesystem::path& path, uint64_t most_bytes, std::unique_ptr<ForeignReader> reader);

  const std::filesystem::path& path() const;
  bool exists(const std::string& object) const;
  bool is_group(const std::string& object) const;
  std::vector<std::string> members(const std::string& group = "/") const;
  ForeignDataset dataset(const std::string& object) const { return {state_, object}; }
  template <class T>
  std::vector<T> read(const std::string& object) const {
    return dataset(object).read<T>();
  }
  std::vector<std::string> read_strings(const std::string& object) const { return dataset(object).read_strings(); }

  std::vector<std::string> attributes(const std::string& object = "/") const;
  bool has_attribute(const std::string& object, const std::string& name) const;
  std::optional<hdf5::AttributeValue> attribute(const std::string& object, const std::string& name) const;
  std::vector<double> numbers(const std::string& object, const std::string& name) const;
  std::string text(const std::string& object, const std::string& name) const;

  int process() const;  // that reads it; 0: this one

 private:
  std::shared_ptr<const ForeignState> state_;
};

// Copies one array of numbers or strings with its attributes, by rows, into our own kind of storage; false (and nothing
// done) where it is of another kind.
bool copy_dataset(const ForeignFile& source, const std::string& object, hdf5::File& goal);
// Those that are numbers or text and not there yet.
void copy_attributes(const ForeignFile& source, const std::string& object, hdf5::File& goal, const std::string& to);

template <class T>
std::vector<T> ForeignDataset::read() const {
  const uint64_t count = hdf5::elements(shape_);
  check_request(count * sizeof(T));
  std::vector<T> values(count);
  read_rows(0, shape_.empty() ? 1 : shape_[0], number_type_of<T>(), values.data());
  return values;
}

}  // namespace ipa
