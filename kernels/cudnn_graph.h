// cuDNN's graph API as C++ values: describe operations on tensors, ask which engines can run them, build a plan, run
// it. A Target is either a GPU or the description of one, for which plans can be built and inspected, but not run.
// Errors: ErrorKind::device, with cuDNN's own explanation.
#pragma once

#include <cudnn_graph.h>

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/tensor.h"
#include "kernels/math.h"

namespace ipa::cuda {

void check(cudnnStatus_t status, std::string_view what);

// The element type of an attribute, from its C++ type.
constexpr auto type_of(std::int64_t) { return CUDNN_TYPE_INT64; }
constexpr auto type_of(double) { return CUDNN_TYPE_DOUBLE; }
constexpr auto type_of(bool) { return CUDNN_TYPE_BOOLEAN; }
constexpr auto type_of(char) { return CUDNN_TYPE_CHAR; }
constexpr auto type_of(void*) { return CUDNN_TYPE_VOID_PTR; }
constexpr auto type_of(cudnnHandle_t) { return CUDNN_TYPE_HANDLE; }
constexpr auto type_of(cudnnDataType_t) { return CUDNN_TYPE_DATA_TYPE; }
constexpr auto type_of(cudnnConvolutionMode_t) { return CUDNN_TYPE_CONVOLUTION_MODE; }
constexpr auto type_of(cudnnPointwiseMode_t) { return CUDNN_TYPE_POINTWISE_MODE; }
constexpr auto type_of(cudnnNanPropagation_t) { return CUDNN_TYPE_NAN_PROPOGATION; }
constexpr auto type_of(cudnnReduceTensorOp_t) { return CUDNN_TYPE_REDUCTION_OPERATOR_TYPE; }
constexpr auto type_of(cudnnBackendHeurMode_t) { return CUDNN_TYPE_HEUR_MODE; }
constexpr auto type_of(cudnnBackendNumericalNote_t) { return CUDNN_TYPE_NUMERICAL_NOTE; }

// Owns one backend descriptor: set its attributes, then finalize it. `what` names it in errors.
class Descriptor {
 public:
  Descriptor() = default;
  Descriptor(cudnnBackendDescriptorType_t type, std::string what);
  Descriptor(Descriptor&& other) noexcept { swap(other); }
  Descriptor& operator=(Descriptor&& other) noexcept { return swap(other), *this; }
  ~Descriptor();

  cudnnBackendDescriptor_t get() const { return descriptor_; }
  explicit operator bool() const { return descriptor_ != nullptr; }

  template <class T>
  Descriptor& set(cudnnBackendAttributeName_t name, std::span<const T> values) {
    return set(name, type_of(T{}), values.size(), values.data());
  }
  template <class T>
  Descriptor& set(cudnnBackendAttributeName_t name, const T& value) {
    return set(name, std::span<const T>(&value, 1));
  }
  Descriptor& set(cudnnBackendAttributeName_t name, const Descriptor& value) { return set(name, std::span(&value, 1)); }
  Descriptor& set(cudnnBackendAttributeName_t name, std::span<const Descriptor> values);

  Descriptor& finalize();
  std::string try_finalize();  // empty, or why not

  std::int64_t count(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type) const;
  template <class T>
  std::vector<T> values(cudnnBackendAttributeName_t name) const {
    std::vector<T> all(static_cast<std::size_t>(count(name, type_of(T{}))));
    all.resize(get_into(name, type_of(T{}), all.size(), all.data()));
    return all;
  }
  // Values that are descriptors: each has to be made beforehand.
  std::vector<Descriptor> descriptors(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type,
                                      std::int64_t most) const;

 private:
  void swap(Descriptor& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    what_.swap(other.what_);
  }
  Descriptor& set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::size_t n,
                  const void* values);
  std::size_t get_into(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::size_t n,
                       void* values) const;

  cudnnBackendDescriptor_t descriptor_ = nullptr;
  std::string what_;
};

// What plans are built for.
class Target {
 public:
  static Target gpu(cudnnHandle_t handle);         // the handle's device; outlived by the handle
  static Target described(std::string_view json);  // cuDNN's own JSON form of device properties; no GPU needed

 private:
  friend class OperationGraph;
  friend class CudnnPlan;
  cudnnHandle_t handle_ = nullptr;
  Descriptor properties_;
};

// One engine with its settings, as the heuristics offer it.
struct EngineConfig {
  Descriptor config;
  std::int64_t engine = -1;
  std::vector<cudnnBackendNumericalNote_t> notes;

  bool has(cudnnBackendNumericalNote_t note) const;
};

struct ConvWindow {
  std::int64_t stride = 1, pad = 0, dilation = 1;  // in both directions
};

// Operations on tensors, in order. Tensors in memory have an id that a plan's pointers are given by; the others live
// inside the fused kernel only.
class OperationGraph {
 public:
  using Tensor = std::size_t;

  // NHWC with `pitch` elements from pixel to pixel; weights are (Co,kh,kw,Ci), per-channel vectors (1,1,1,C).
  Tensor in_memory(std::int64_t id, const TensorSpec& spec, std::int64_t pitch);
  Tensor inside(const TensorSpec& spec);

  void conv(Tensor x, Tensor w, Tensor y, const ConvWindow& window);          // makes y
  void conv_dgrad(Tensor dx, Tensor w, Tensor dy, const ConvWindow& window);  // makes dx
  void conv_wgrad(Tensor x, Tensor dw, Tensor dy, const ConvWindow& window);  // makes dw
  void identity(Tensor x, Tensor y);
  void add(Tensor x, Tensor b, Tensor y);  // b may be one vector for all pixels, in mul also
  void mul(Tensor x, Tensor b, Tensor y);
  void activation(const Activation& a, Tensor x, Tensor y);
  void relu_backward(Tensor y, Tensor dy, Tensor dx);  // dx = dy where y > 0
  // In a fixed order, or in any by atomic additions to what `sum` holds, which more engines offer.
  void sum_pixels(Tensor x, Tensor sum, bool any_order);

  void finish(const Target& target);
  // Everything that determines the graph, on one line: equal text, equal graph.
  const std::string& text() const { return text_; }

  // What the heuristics offer, the best first. None: `why_none` says why.
  std::vector<EngineConfig> engines(const Target& target, cudnnBackendHeurMode_t mode, std::string& why_none) const;

 private:
  Tensor tensor(std::int64_t id, const TensorSpec& spec, std::int64_t pitch, bool inside);
  struct ConvNames;
  using Operand = std::pair<cudnnBackendAttributeName_t, Tensor>;
  void conv_operation(const ConvNames& names, Tensor x, Tensor w, Tensor y, const ConvWindow& window);
  void pointwise(const char* name, Descriptor mode, std::initializer_list<Operand> operands);
  void append(const char* name, Descriptor operation, std::initializer_list<Operand> operands, Descriptor part);

  std::vector<Descriptor> tensors_, parts_, operations_;
  Descriptor graph_;
  std::string text_;
};

// A plan, ready to run on its target if that is a GPU.
class CudnnPlan {
 public:
  CudnnPlan() = default;
  // Compiles; may take seconds. Without result: `why_none` says why.
  static CudnnPlan build(const Target& target, const EngineConfig& engine, std::string& why_none);
  static CudnnPlan load(const Target& target, const std::string& json, std::string& why_none);

  explicit operator bool() const { return static_cast<bool>(plan_); }
  std::size_t workspace_bytes() const { return workspace_bytes_; }
  std::string json() const;

  // Enqueues on the handle's stream. Pointers by tensor id.
  void run(cudnnHandle_t handle, std::span<const std::int64_t> ids, std::span<void* const> pointers,
           void* workspace) const;

 private:
  CudnnPlan(Descriptor plan, std::string& why_none);
  Descriptor plan_;
  std::size_t workspace_bytes_ = 0;
};

}  // namespace ipa::cuda
