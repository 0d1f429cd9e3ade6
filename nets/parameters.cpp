#include "nets/parameters.h"

#include <fmt/core.h>

#include <cmath>

#include "engine/rng.h"
#include "engine/transfer.h"

namespace ipa {
namespace {

constexpr std::int64_t padded(std::int64_t n) { return (n + 15) / 16 * 16; }  // 64-byte aligned entries

// FNV-1a, so that every network draws its own numbers.
std::uint32_t hash(const std::string& text) {
  std::uint32_t h = 2166136261u;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 16777619u;
  return h;
}

std::vector<float> initial_values(const Shape& s, Init init, RandomSequence random) {
  const double fans = static_cast<double>(s.h * s.w * (s.c + s.n));
  const auto limit = static_cast<float>(std::sqrt(6.0 / fans));
  std::vector<float> values(static_cast<std::size_t>(s.elements()));
  for (float& v : values) switch (init) {
      case Init::zero:
        v = 0;
        break;
      case Init::one:
        v = 1;
        break;
      case Init::glorot_uniform:
        v = random.uniform(-limit, limit);
        break;
      case Init::normal_002:
        v = 0.02f * random.normal();
        break;
      case Init::gamma_002:
        v = 1 + 0.02f * random.normal();
        break;
    }
  return values;
}

std::vector<std::int64_t> file_shape(const Parameters::Entry& e) {
  if (e.role != Role::kernel) return {e.shape.c};
  return {e.shape.n, e.shape.c, e.shape.h, e.shape.w};
}

// Calls f(position in the file, position in memory) for (out, kh, kw, in) in memory and (out, in, kh, kw) in the file.
template <class F>
void transpose(const Shape& s, F f) {
  for (std::int64_t o = 0; o < s.n; ++o)
    for (std::int64_t i = 0; i < s.c; ++i)
      for (std::int64_t k = 0; k < s.h * s.w; ++k)
        f(static_cast<std::size_t>((o * s.c + i) * s.h * s.w + k),
          static_cast<std::size_t>((o * s.h * s.w + k) * s.c + i));
}

}  // namespace

const Parameters::Entry& Parameters::declare(const std::string& name, const Shape& shape, Role role, Init init) {
  if (const auto found = index_.find(name); found != index_.end()) {
    const Entry& e = entries_[found->second];
    require(e.shape == shape && e.role == role, "parameter declared twice, differently: " + name);
    return e;
  }
  std::int64_t& flat = role != Role::statistic ? flat_trainable_ : flat_statistics_;
  index_[name] = entries_.size();
  entries_.push_back({name, shape, role, init, flat});
  flat += padded(elements_on(device_, entries_.back().spec()));
  return entries_.back();
}

void Parameters::allocate(bool training, DType compute) {
  const std::size_t bytes = flat_spec().bytes();
  values_ = Buffer(network_ + " values", bytes, device_);
  statistics_ = Buffer(network_ + " statistics", static_cast<std::size_t>(flat_statistics_) * sizeof(float), device_);
  if (compute == DType::bf16) copy_ = Buffer(network_ + " bf16 copy", flat_spec(compute).bytes(), device_);
  if (!training) return;
  gradients_ = Buffer(network_ + " gradients", bytes + report_room * sizeof(float), device_);
  m_ = Buffer(network_ + " Adam m", bytes, device_);
  v_ = Buffer(network_ + " Adam v", bytes, device_);
  updates_ = Buffer(network_ + " updates", bytes_on(device_, {scalar_shape}), device_);
}

void Parameters::initialise(std::uint64_t seed) {
  for (std::size_t i = 0; i < entries_.size(); ++i)
    set(entries_[i], initial_values(entries_[i].shape, entries_[i].init,
                                    {seed, RandomUse::weights, hash(network_), static_cast<std::uint32_t>(i)}));
}

std::int64_t Parameters::count(bool trainable) const {
  std::int64_t sum = 0;
  for (const Entry& e : entries_) sum += e.trainable() == trainable ? e.shape.elements() : 0;
  return sum;
}

const Parameters::Entry& Parameters::entry(const std::string& name) const {
  const auto found = index_.find(name);
  require(found != index_.end(), "no parameter " + name);
  return entries_[found->second];
}

Tensor Parameters::value(const std::string& name) const { return value(entry(name)); }

Tensor Parameters::value(const Entry& e) const {
  return (e.trainable() ? values_ : statistics_).tensor(e.spec(), static_cast<std::size_t>(e.offset) * sizeof(float));
}

Tensor Parameters::copy(const std::string& name) const {
  const Entry& e = entry(name);
  require(e.trainable() && copy_.data(), "no bf16 copy of " + name);
  return copy_.tensor(e.spec(DType::bf16), static_cast<std::size_t>(e.offset) * sizeof(bf16));
}

void Parameters::set(const Entry& e, std::span<const float> values) {
  from_host(values, value(e));
  if (e.trainable() && copy_.data()) from_host(values, copy(e.name));
}

Tensor Parameters::gradient(const Entry& e) const {
  require(e.trainable(), "no gradient of " + e.name);
  return gradients_.tensor(e.spec(), static_cast<std::size_t>(e.offset) * sizeof(float));
}

Tensor Parameters::gradient_range(std::int64_t first, std::int64_t count) const {
  return gradients_.tensor({vector_shape(count)}, static_cast<std::size_t>(first) * sizeof(float));
}

NamedArray Parameters::in_file_layout(const Entry& e, const Tensor& t) {
  NamedArray array{e.name, file_shape(e), std::vector<float>(static_cast<std::size_t>(e.shape.elements()))};
  const std::vector<float> values = to_host(t);
  transpose(e.shape, [&](std::size_t file, std::size_t memory) { array.values[file] = values[memory]; });
  return array;
}

std::int64_t Parameters::portable_size() const {
  std::int64_t size = 0;
  for (const Entry& e : entries_) size += e.trainable() ? padded(e.shape.elements()) : 0;
  return size;
}

std::vector<float> Parameters::portable(const Tensor& flat) const {
  std::vector<float> result;
  for (const Entry& e : entries_) {
    if (!e.trainable()) continue;
    const std::vector<float> values = to_host(Tensor(flat.f32() + e.offset, e.spec(), device_));
    result.insert(result.end(), values.begin(), values.end());
    result.resize(result.size() + static_cast<std::size_t>(padded(e.shape.elements()) - e.shape.elements()));
  }
  return result;
}

void Parameters::from_portable(const std::vector<float>& values, const Tensor& flat) const {
  require(static_cast<std::int64_t>(values.size()) == portable_size(), "parameters: a flat tensor of another size");
  std::size_t at = 0;
  for (const Entry& e : entries_) {
    if (!e.trainable()) continue;
    const auto count = static_cast<std::size_t>(e.shape.elements());
    from_host(std::span(values).subspan(at, count), Tensor(flat.f32() + e.offset, e.spec(), device_));
    at += static_cast<std::size_t>(padded(e.shape.elements()));
  }
}

void Parameters::save(WeightMap& map) const {
  for (const Entry& e : entries_) map.push_back(in_file_layout(e, value(e)));
}

void Parameters::load(const WeightMap& map, const std::string& file) {
  std::unordered_map<std::string, const NamedArray*> there;
  std::string wrong;
  int faults = 0;
  auto fault = [&](const std::string& text) {
    if (++faults <= 3) wrong += (wrong.empty() ? "" : ", ") + text;
  };
  for (const NamedArray& a : map) {
    if (!a.name.starts_with(network_ + ".")) continue;
    if (!index_.contains(a.name)) fault("surplus " + a.name);
    if (!there.emplace(a.name, &a).second) fault("twice " + a.name);
  }
  for (const Entry& e : entries_) {
    const auto found = there.find(e.name);
    if (found == there.end())
      fault("missing " + e.name);
    else if (found->second->shape != file_shape(e)) {
      std::string shape;
      for (const std::int64_t d : file_shape(e)) shape += (shape.empty() ? "" : ", ") + std::to_string(d);
      fault(e.name + " is not (" + shape + ")");
    }
  }
  if (faults)
    fail(ErrorKind::input,
         fmt::format("{} weights do not fit {}: {}{}", faults, network_, wrong, faults > 3 ? ", ..." : ""), file,
         "check net.width and net.disc_width against the file");
  for (const Entry& e : entries_) {
    const NamedArray& a = *there.at(e.name);
    std::vector<float> values(a.values.size());
    transpose(e.shape, [&](std::size_t from, std::size_t to) { values[to] = a.values[from]; });
    set(e, values);
  }
}

}  // namespace ipa
