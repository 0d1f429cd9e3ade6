// One network's parameters: named tensors that lie one behind another in flat buffers (values, gradients, Adam's
// moments), so that one kernel updates them all and all-reduce buckets are contiguous. Known by description first,
// allocated later. Where networks compute in bf16, the fp32 values are the masters, and convolutions read a bf16 copy.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/buffer.h"
#include "engine/weights.h"

namespace ipa {

enum class Init {
  zero,
  one,
  glorot_uniform,  // U(-l, l), l = sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, eq. 16): Keras' default
  normal_002,      // N(0, 0.02): pix2pix' convolutions
  gamma_002,       // N(1, 0.02): pix2pix' batch-norm scales
};

enum class Role {
  kernel,     // of a convolution, trainable: (out, kh, kw, in) in memory, (out, in, kh, kw) in files
  vector,     // per channel, trainable: (1, 1, 1, C), in files (C)
  statistic,  // per channel, a running statistic
};

class Parameters {
 public:
  struct Entry {
    std::string name;  // docs/file_formats.md, "Weight names"
    Shape shape;
    Role role = Role::vector;
    Init init = Init::zero;
    std::int64_t offset = 0;  // elements into the flat values (trainable) or the flat statistics
    bool trainable() const { return role != Role::statistic; }
    TensorSpec spec(DType dtype = DType::f32) const { return {shape, dtype, role == Role::kernel}; }
  };

  explicit Parameters(std::string network, Device device = {}) : network_(std::move(network)), device_(device) {}

  // Declares a tensor, or finds the one of that name; a second declaration must agree with the first.
  const Entry& declare(const std::string& name, const Shape& shape, Role role, Init init);

  // Values and statistics, zero-filled; with `training` also gradients and moments; for networks that compute in bf16
  // also the copy.
  void allocate(bool training, DType compute = DType::f32);
  bool allocated() const { return values_.data() != nullptr; }
  void initialise(std::uint64_t seed);  // every entry from (seed, network, entry, element)

  const std::string& network() const { return network_; }
  Device device() const { return device_; }
  const std::vector<Entry>& entries() const { return entries_; }
  std::int64_t trainable_count() const { return count(true); }  // without padding
  std::int64_t count() const { return count(true) + count(false); }

  bool has(const std::string& name) const { return index_.contains(name); }

  // Views; the flat ones are (1, 1, 1, n) and include the padding between entries, which stays 0.
  Tensor value(const std::string& name) const;
  Tensor value(const Entry& e) const;
  Tensor copy(const std::string& name) const;  // in bf16
  Tensor gradient(const Entry& e) const;
  Tensor flat_values() const { return values_.tensor(flat_spec()); }
  Tensor flat_gradients() const { return gradients_.tensor(flat_spec()); }
  Tensor flat_m() const { return m_.tensor(flat_spec()); }
  Tensor flat_v() const { return v_.tensor(flat_spec()); }
  Tensor flat_copy() const { return copy_.tensor(flat_spec(DType::bf16)); }
  Tensor updates() const { return updates_.tensor({scalar_shape}); }  // that Adam has made, on the device
  TensorSpec flat_spec(DType dtype = DType::f32) const { return {vector_shape(flat_trainable_), dtype}; }

  // A flat tensor as it lies on the CPU, whatever the device: what checkpoints hold. The reverse wants as many values.
  std::vector<float> portable(const Tensor& flat) const;
  std::int64_t portable_size() const;
  void from_portable(const std::vector<float>& values, const Tensor& flat) const;

  Tensor flat_statistics() const { return statistics_.tensor(statistics_spec()); }
  TensorSpec statistics_spec() const { return {vector_shape(flat_statistics_)}; }

  // Elements [first, first + count) of the flat gradients. Behind their end is room for `report_room` scalars, which
  // many ranks sum together with the gradients.
  Tensor gradient_range(std::int64_t first, std::int64_t count) const;
  static constexpr std::int64_t report_room = 64;

  // In PyTorch's layouts, for files. `load` wants every entry exactly once with its shape; extra names of this network
  // ("NETWORK." in front) are errors too: ErrorKind::input, naming the file and the first few names at fault.
  void save(WeightMap& map) const;
  void load(const WeightMap& map, const std::string& file);
  static NamedArray in_file_layout(const Entry& e,
                                   const Tensor& t);  // of a tensor of e's shape

 private:
  std::int64_t count(bool trainable) const;
  const Entry& entry(const std::string& name) const;
  void set(const Entry& e, std::span<const float> values);  // the copy too

  std::string network_;
  Device device_;
  std::vector<Entry> entries_;
  std::unordered_map<std::string, std::size_t> index_;
  std::int64_t flat_trainable_ = 0, flat_statistics_ = 0;
  Buffer values_, copy_, statistics_, gradients_, m_, v_, updates_;
};

}  // namespace ipa
