#include "io/foreign_file.h"

#include <fmt/core.h>

#include <algorithm>

namespace ipa {

struct ForeignState {
  std::filesystem::path path;
  uint64_t most_bytes;
  std::unique_ptr<ForeignReader> reader;
  mutable std::mutex mutex;

  ForeignState(std::filesystem::path where, uint64_t most, std::unique_ptr<ForeignReader> from)
      : path(std::move(where)), most_bytes(most), reader(std::move(from)) {}

  std::string where(const std::string& object) const { return fmt::format("{}: {}", path.string(), object); }

  std::string ask(const Packet& request, std::span<char> rows = {}) const {
    const std::lock_guard guard(mutex);
    return reader->ask(request.bytes(), rows);
  }

  // `parse` takes from the answer what it must hold.
  template <class Parse>
  auto ask(Question question, std::initializer_list<std::string_view> texts, Parse parse) const {
    Packet request;
    request.put(static_cast<uint64_t>(question));
    for (const std::string_view text : texts) request.put(text);
    Packet answer(ask(request));
    try {
      const auto value = parse(answer);
      answer.end();
      return value;
    } catch (const PacketError&) {
      fail(ErrorKind::input, "reading it gave nonsense", path.string(), "the file is damaged or hostile");
    }
  }
};

namespace {

constexpr uint64_t block_bytes = uint64_t{32} << 20;  // fetched at a time, if that is a row or more
// A child's memory goes by what is there: HDF5 believes the lengths of texts, which a small file may set to gigabytes.
constexpr uint64_t least_memory = uint64_t{1} << 30, memory_per_byte = 16;
constexpr uint64_t most_rank = 32;  // HDF5's
constexpr uint64_t number_types = 10;

uint64_t bytes_of_row(const hdf5::Shape& shape, NumberType type) {
  const uint64_t rows = shape.empty() ? 1 : shape[0];
  return rows == 0 ? 0 : hdf5::elements(shape) / rows * bytes_of(type);
}

uint64_t rows_at_once(uint64_t row_bytes) {
  return std::max<uint64_t>(block_bytes / std::max<uint64_t>(row_bytes, 1), 1);
}

const auto texts = [](Packet& answer) { return answer.texts(); };
const auto flag = [](Packet& answer) { return answer.flag(); };

}  // namespace

ForeignDataset::ForeignDataset(std::shared_ptr<const ForeignState> file, std::string path)
    : file_(std::move(file)), path_(std::move(path)) {
  file_->ask(Question::dataset, {path_}, [&](Packet& answer) {
    shape_.resize(answer.number(most_rank));
    for (uint64_t& side : shape_) side = answer.number();
    if (const uint64_t type = answer.number(number_types); type < number_types) type_ = static_cast<NumberType>(type);
    is_text_ = answer.flag();
    stored_bytes_ = answer.number();
    return true;
  });
  hdf5::elements(shape_, file_->where(path_));  // refuses absurd ones
}

void ForeignDataset::check_request(uint64_t bytes) const {
  if (bytes > file_->most_bytes)
    fail(ErrorKind::input,
         fmt::format("reading it takes {} MiB, the limit is {}", bytes >> 20, file_->most_bytes >> 20),
         file_->where(path_));
}

void ForeignDataset::read_rows(uint64_t first, uint64_t count, NumberType as, void* out) const {
  const uint64_t rows = shape_.empty() ? 1 : shape_[0], row_bytes = bytes_of_row(shape_, as);
  require(first <= rows && count <= rows - first, "foreign read_rows: rows out of range");
  check_request(count * row_bytes);
  const uint64_t step = rows_at_once(row_bytes);
  do {  // an empty request too: it may be of the wrong type
    const uint64_t now = std::min(step, count);
    Packet request;
    request.put(static_cast<uint64_t>(Question::rows)).put(path_).put(first).put(now).put(static_cast<uint64_t>(as));
    file_->ask(request, {static_cast<char*>(out), now * row_bytes});
    first += now, count -= now;
    out = static_cast<char*>(out) + now * row_bytes;
  } while (count > 0);
}

std::vector<std::string> ForeignDataset::read_strings() const {
  const uint64_t count = hdf5::elements(shape_);
  check_request(count * sizeof(std::string));
  return file_->ask(Question::strings, {path_}, [&](Packet& answer) {
    std::vector<std::string> all = answer.texts();
    if (all.size() != count) throw PacketError();
    return all;
  });
}

ForeignFile::ForeignFile(const std::filesystem::path& path, uint64_t most_bytes, std::unique_ptr<ForeignReader> reader)
    : state_(std::make_shared<const ForeignState>(path, most_bytes, std::move(reader))) {
  state_->ask(Question::open, {path.native()}, [](Packet&) { return true; });
}

ForeignFile ForeignFile::open(const std::filesystem::path& path, uint64_t most_bytes, const ForeignLimits& limits) {
  std::error_code no_size;
  const uint64_t size = std::filesystem::file_size(path, no_size);
  ForeignLimits own = limits;
  if (!no_size) own.memory = std::min(limits.memory, least_memory + memory_per_byte * std::min(size, limits.memory));
  return {path, most_bytes, start_foreign_reader(path, own)};
}

const std::filesystem::path& ForeignFile::path() const { return state_->path; }
int ForeignFile::process() const { return state_->reader->process(); }

bool ForeignFile::exists(const std::string& object) const { return state_->ask(Question::exists, {object}, flag); }
bool ForeignFile::is_group(const std::string& object) const { return state_->ask(Question::is_group, {object}, flag); }

std::vector<std::string> ForeignFile::members(const std::string& group) const {
  return state_->ask(Question::members, {group}, texts);
}

std::vector<std::string> ForeignFile::attributes(const std::string& object) const {
  return state_->ask(Question::attributes, {object}, texts);
}

bool ForeignFile::has_attribute(const std::string& object, const std::string& name) const {
  return state_->ask(Question::has_attribute, {object, name}, flag);
}

std::optional<hdf5::AttributeValue> ForeignFile::attribute(const std::string& object, const std::string& name) const {
  return state_->ask(Question::attribute, {object, name}, [](Packet& answer) -> std::optional<hdf5::AttributeValue> {
    if (!answer.flag()) return {};
    hdf5::AttributeValue value;
    if (const uint64_t type = answer.number(number_types); type < number_types)
      value.type = static_cast<NumberType>(type);
    value.bytes = answer.text();
    if (value.type && value.bytes.size() % bytes_of(*value.type) != 0) throw PacketError();
    return value;
  });
}

std::vector<double> ForeignFile::numbers(const std::string& object, const std::string& name) const {
  const auto value = attribute(object, name);
  if (!value || !value->type)
    fail(ErrorKind::input, "the attribute does not hold numbers", state_->where(object + "@" + name));
  return with_number_type(*value->type, [&](auto zero) {
    std::vector<double> all(value->bytes.size() / sizeof zero);
    for (size_t i = 0; i < all.size(); ++i) {
      std::memcpy(&zero, value->bytes.data() + i * sizeof zero, sizeof zero);
      all[i] = static_cast<double>(zero);
    }
    return all;
  });
}

std::string ForeignFile::text(const std::string& object, const std::string& name) const {
  auto value = attribute(object, name);
  if (!value || value->type)
    fail(ErrorKind::input, "the attribute does not hold one text", state_->where(object + "@" + name));
  return std::move(value->bytes);
}

bool copy_dataset(const ForeignFile& source, const std::string& object, hdf5::File& goal) {
  const ForeignDataset from = source.dataset(object);
  if (const auto type = from.type()) {
    const hdf5::Shape& shape = from.shape();
    hdf5::Shape chunk = shape;
    if (shape.size() >= 3) chunk[0] = 1;  // slices, like all our stacks
    hdf5::Dataset to = goal.create_dataset(object, *type, shape, {.chunk = chunk});
    const uint64_t rows = shape.empty() ? 1 : shape[0], row_bytes = bytes_of_row(shape, *type);
    std::vector<char> block;
    for (uint64_t first = 0; first < rows;) {
      const uint64_t count = std::min(rows_at_once(row_bytes), rows - first);
      block.resize(count * row_bytes);
      from.read_rows(first, count, *type, block.data());
      to.write_rows(first, count, block.data());
      first += count;
    }
  } else if (from.shape().size() == 1 && from.is_text()) {
    goal.write_strings(object, from.read_strings());
  } else {
    return false;
  }
  copy_attributes(source, object, goal, object);
  return true;
}

void copy_attributes(const ForeignFile& source, const std::string& object, hdf5::File& goal, const std::string& to) {
  for (const std::string& name : source.attributes(object))
    if (!goal.has_attribute(to, name))
      if (const auto value = source.attribute(object, name)) goal.set_attribute(to, name, *value);
}

}  // namespace ipa
