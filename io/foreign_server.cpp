// The side that answers: the only code that lets HDF5 parse a foreign file.
#include <algorithm>
#include <map>
#include <utility>

#include "engine/error.h"
#include "io/foreign_reader.h"
#include "io/hdf5.h"
#include "io/packet.h"

namespace ipa {
namespace {

constexpr size_t most_open_datasets = 64;
constexpr uint64_t most_ahead = uint64_t{64} << 20;
constexpr uint64_t no_number = 10;  // behind the last NumberType

uint64_t code_of(std::optional<NumberType> type) { return type ? static_cast<uint64_t>(*type) : no_number; }

class ReaderHere : public ForeignReader {
 public:
  explicit ReaderHere(const ForeignLimits& limits) : limits_(limits) {}

  std::string ask(const std::string& bytes, std::span<char> rows) override {
    Packet request(bytes), answer;
    const auto question = static_cast<Question>(request.number());
    if (question == Question::open) {
      file_ = hdf5::File::open(request.text(), limits_.memory / 2);
      return {};
    }
    require(file_.has_value(), "a foreign file must be opened first");
    const std::string object = request.text();
    if (question != Question::rows) in_turn_ = false;
    switch (question) {
      case Question::open:
        break;
      case Question::exists:
        answer.put(file_->exists(object));
        break;
      case Question::is_group:
        answer.put(file_->is_group(object));
        break;
      case Question::members:
        answer.put(file_->members(object));
        break;
      case Question::attributes:
        answer.put(file_->attributes(object));
        break;
      case Question::has_attribute:
        answer.put(file_->has_attribute(object, request.text()));
        break;
      case Question::attribute: {
        const auto value = file_->attribute(object, request.text());
        answer.put(value.has_value());
        if (value) answer.put(code_of(value->type)).put(value->bytes);
        break;
      }
      case Question::dataset: {
        const hdf5::Dataset& found = dataset(object);
        answer.put(found.shape().size());
        for (const uint64_t side : found.shape()) answer.put(side);
        answer.put(code_of(found.type())).put(found.is_text()).put(found.stored_bytes());
        break;
      }
      case Question::rows: {
        Rows wanted{object, request.number(), request.number(), static_cast<NumberType>(request.number(no_number - 1))};
        if (wanted == ahead_ && rows.size() == ahead_bytes_.size())
          std::copy(ahead_bytes_.begin(), ahead_bytes_.end(), rows.begin());
        else
          read(wanted, rows);
        ahead_.reset();
        in_turn_ = asked_ && wanted.follows(*asked_);
        asked_ = std::move(wanted);
        return {};
      }
      case Question::strings:
        answer.put(dataset(object).read_strings());
        break;
    }
    return answer.bytes();
  }

  void read_ahead() override {
    if (!std::exchange(in_turn_, false)) return;
    try {
      const hdf5::Shape& shape = dataset(asked_->object).shape();
      Rows next = *asked_;
      next.first += next.count;
      next.count = std::min(next.count, shape[0] - next.first);
      const uint64_t bytes = hdf5::elements(shape) / shape[0] * next.count * bytes_of(next.type);
      if (bytes == 0 || bytes > most_ahead) return;
      ahead_bytes_.resize(bytes);
      read(next, ahead_bytes_);
      ahead_ = std::move(next);
    } catch (const std::exception&) {  // to be said when it is asked for
    }
  }

 private:
  struct Rows {
    std::string object;
    uint64_t first, count;
    NumberType type;
    bool operator==(const Rows&) const = default;
    bool follows(const Rows& r) const { return object == r.object && type == r.type && first == r.first + r.count; }
  };

  void read(const Rows& rows, std::span<char> out) {
    const hdf5::Dataset& from = dataset(rows.object);
    const uint64_t all = from.shape().empty() ? 1 : from.shape()[0];
    require(rows.first <= all && rows.count <= all - rows.first, "foreign rows out of range");
    require(all == 0 || hdf5::elements(from.shape()) / all * rows.count * bytes_of(rows.type) == out.size(),
            "foreign rows: size");
    from.read_rows(rows.first, rows.count, rows.type, out.data());
  }

  // Opening one visits all its chunks, so it stays open for the reads that follow.
  const hdf5::Dataset& dataset(const std::string& object) {
    if (const auto known = datasets_.find(object); known != datasets_.end()) return known->second;
    if (datasets_.size() >= most_open_datasets) datasets_.clear();
    return datasets_.emplace(object, file_->dataset(object)).first->second;
  }

  ForeignLimits limits_;
  std::optional<hdf5::File> file_;
  std::map<std::string, hdf5::Dataset> datasets_;
  std::optional<Rows> asked_, ahead_;  // the last ones asked for; those that lie in ahead_bytes_
  bool in_turn_ = false;               // asked_ followed those before
  std::vector<char> ahead_bytes_;
};

}  // namespace

std::unique_ptr<ForeignReader> foreign_reader_here(const ForeignLimits& limits) {
  return std::make_unique<ReaderHere>(limits);
}

}  // namespace ipa
