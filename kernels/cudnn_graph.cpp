#include "kernels/cudnn_graph.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

namespace ipa::cuda {
namespace {

std::string explain(cudnnStatus_t status) {
  std::array<char, 4096> text{};
  cudnnGetLastErrorString(text.data(), text.size());
  return fmt::format("{}{}{}", cudnnGetErrorString(status), text[0] ? ": " : "", text.data());
}

cudnnDataType_t data_type(DType t) {
  switch (t) {
    case DType::f32:
      return CUDNN_DATA_FLOAT;
    case DType::bf16:
      return CUDNN_DATA_BFLOAT16;
    case DType::u8:
      return CUDNN_DATA_UINT8;
    case DType::i32:
      break;
  }
  return CUDNN_DATA_INT32;
}

Descriptor pointwise_mode(cudnnPointwiseMode_t mode) {
  Descriptor d(CUDNN_BACKEND_POINTWISE_DESCRIPTOR, "pointwise mode");
  d.set(CUDNN_ATTR_POINTWISE_MODE, mode).set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_DATA_FLOAT);
  return d;
}

}  // namespace

void check(cudnnStatus_t status, std::string_view what) {
  if (status != CUDNN_STATUS_SUCCESS) fail(ErrorKind::device, fmt::format("cuDNN, {}: {}", what, explain(status)));
}

Descriptor::Descriptor(cudnnBackendDescriptorType_t type, std::string what) : what_(std::move(what)) {
  check(cudnnBackendCreateDescriptor(type, &descriptor_), what_);
}

Descriptor::~Descriptor() {
  if (descriptor_) cudnnBackendDestroyDescriptor(descriptor_);
}

Descriptor& Descriptor::set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::size_t n,
                            const void* values) {
  const auto count = static_cast<std::int64_t>(n);
  if (const auto status = cudnnBackendSetAttribute(descriptor_, name, type, count, values);
      status != CUDNN_STATUS_SUCCESS)
    check(status, fmt::format("{}, attribute {}", what_, static_cast<int>(name)));
  return *this;
}

Descriptor& Descriptor::set(cudnnBackendAttributeName_t name, std::span<const Descriptor> values) {
  std::vector<cudnnBackendDescriptor_t> raw;
  for (const Descriptor& d : values) raw.push_back(d.descriptor_);
  return set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, raw.size(), raw.data());
}

Descriptor& Descriptor::finalize() {
  check(cudnnBackendFinalize(descriptor_), what_);
  return *this;
}

std::string Descriptor::try_finalize() {
  const cudnnStatus_t status = cudnnBackendFinalize(descriptor_);
  return status == CUDNN_STATUS_SUCCESS ? "" : explain(status);
}

std::int64_t Descriptor::count(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type) const {
  std::int64_t n = 0;
  check(cudnnBackendGetAttribute(descriptor_, name, type, 0, &n, nullptr), what_);
  return n;
}

std::size_t Descriptor::get_into(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::size_t n,
                                 void* values) const {
  std::int64_t got = 0;
  if (n == 0) return 0;
  check(cudnnBackendGetAttribute(descriptor_, name, type, static_cast<std::int64_t>(n), &got, values), what_);
  return std::min(n, static_cast<std::size_t>(got));
}

std::vector<Descriptor> Descriptor::descriptors(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type,
                                                std::int64_t most) const {
  std::vector<Descriptor> all;
  std::vector<cudnnBackendDescriptor_t> raw;
  for (std::int64_t i = 0; i < most; ++i) raw.push_back(all.emplace_back(type, what_).get());
  all.resize(get_into(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, raw.size(), raw.data()));
  return all;
}

Target Target::gpu(cudnnHandle_t handle) {
  Target t;
  t.handle_ = handle;
  return t;
}

Target Target::described(std::string_view json) {
  Target t;
  t.properties_ = Descriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, "device description");
  t.properties_.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, std::span(json.data(), json.size())).finalize();
  return t;
}

bool EngineConfig::has(cudnnBackendNumericalNote_t note) const {
  return std::find(notes.begin(), notes.end(), note) != notes.end();
}

OperationGraph::Tensor OperationGraph::tensor(std::int64_t id, const TensorSpec& spec, std::int64_t pitch,
                                              bool inside) {
  const auto& [n, h, w, c] = spec.shape;
  const std::array dims{n, c, h, w}, strides{h * w * pitch, std::int64_t{1}, w * pitch, pitch};
  Descriptor t(CUDNN_BACKEND_TENSOR_DESCRIPTOR, "tensor");
  t.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, id)
      .set(CUDNN_ATTR_TENSOR_DATA_TYPE, data_type(spec.dtype))
      .set(CUDNN_ATTR_TENSOR_DIMENSIONS, std::span<const std::int64_t>(dims))
      .set(CUDNN_ATTR_TENSOR_STRIDES, std::span<const std::int64_t>(strides))
      .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, std::int64_t{16})
      .set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, inside)
      .finalize();
  tensors_.push_back(std::move(t));
  text_ += fmt::format("{}{} {}{}/{}; ", inside ? "" : "*", id, to_string(spec.dtype), to_string(spec.shape), pitch);
  return tensors_.size() - 1;
}

OperationGraph::Tensor OperationGraph::in_memory(std::int64_t id, const TensorSpec& spec, std::int64_t pitch) {
  return tensor(id, spec, pitch, false);
}

OperationGraph::Tensor OperationGraph::inside(const TensorSpec& spec) {
  return tensor(1000 + static_cast<std::int64_t>(tensors_.size()), spec, spec.shape.c, true);
}

// Sets the operands and keeps `part`, which the operation refers to.
void OperationGraph::append(const char* name, Descriptor operation, std::initializer_list<Operand> operands,
                            Descriptor part) {
  text_ += name;
  for (const auto& [attribute, t] : operands) {
    operation.set(attribute, tensors_[t]);
    text_ += fmt::format(" {}", t);
  }
  text_ += "; ";
  operation.finalize();
  operations_.push_back(std::move(operation));
  parts_.push_back(std::move(part));
}

struct OperationGraph::ConvNames {
  const char* name;
  cudnnBackendDescriptorType_t type;
  cudnnBackendAttributeName_t x, w, y, window, alpha, beta;
};

void OperationGraph::conv_operation(const ConvNames& names, Tensor x, Tensor w, Tensor y, const ConvWindow& window) {
  const auto& [stride, pad, dilation] = window;
  const std::array pads{pad, pad}, strides{stride, stride}, dilations{dilation, dilation};
  using Extents = std::span<const std::int64_t>;
  Descriptor d(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, "convolution window");
  d.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT)
      .set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION)
      .set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, std::int64_t{2})
      .set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, Extents(pads))
      .set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, Extents(pads))
      .set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, Extents(strides))
      .set(CUDNN_ATTR_CONVOLUTION_DILATIONS, Extents(dilations))
      .finalize();
  text_ += fmt::format("s{} p{} d{} ", stride, pad, dilation);
  Descriptor operation(names.type, names.name);
  operation.set(names.window, d).set(names.alpha, 1.0).set(names.beta, 0.0);
  append(names.name, std::move(operation), {{names.x, x}, {names.w, w}, {names.y, y}}, std::move(d));
}

void OperationGraph::conv(Tensor x, Tensor w, Tensor y, const ConvWindow& window) {
  static const ConvNames names{"conv",
                               CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
  conv_operation(names, x, w, y, window);
}

void OperationGraph::conv_dgrad(Tensor dx, Tensor w, Tensor dy, const ConvWindow& window) {
  static const ConvNames names{"dgrad",
                               CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
  conv_operation(names, dx, w, dy, window);
}

void OperationGraph::conv_wgrad(Tensor x, Tensor dw, Tensor dy, const ConvWindow& window) {
  static const ConvNames names{"wgrad",
                               CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};
  conv_operation(names, x, dw, dy, window);
}

void OperationGraph::pointwise(const char* name, Descriptor mode, std::initializer_list<Operand> operands) {
  mode.finalize();
  Descriptor operation(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR, name);
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, mode);
  append(name, std::move(operation), operands, std::move(mode));
}

void OperationGraph::identity(Tensor x, Tensor y) {
  pointwise("identity", pointwise_mode(CUDNN_POINTWISE_IDENTITY),
            {{CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x}, {CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y}});
}

void OperationGraph::add(Tensor x, Tensor b, Tensor y) {
  pointwise("add", pointwise_mode(CUDNN_POINTWISE_ADD),
            {{CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x},
             {CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b},
             {CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y}});
}

void OperationGraph::mul(Tensor x, Tensor b, Tensor y) {
  pointwise("mul", pointwise_mode(CUDNN_POINTWISE_MUL),
            {{CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x},
             {CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b},
             {CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y}});
}

void OperationGraph::activation(const Activation& a, Tensor x, Tensor y) {
  using Kind = Activation::Kind;
  if (a.kind == Kind::none) return identity(x, y);
  const bool relu = a.kind == Kind::relu || a.kind == Kind::leaky_relu;
  Descriptor mode = pointwise_mode(relu                   ? CUDNN_POINTWISE_RELU_FWD
                                   : a.kind == Kind::tanh ? CUDNN_POINTWISE_TANH_FWD
                                                          : CUDNN_POINTWISE_SIGMOID_FWD);
  // A NaN must stay a NaN. (What cuDNN 9.19 compiles for an H200 keeps it with and without this; a plan is checked.)
  if (relu) mode.set(CUDNN_ATTR_POINTWISE_NAN_PROPAGATION, CUDNN_PROPAGATE_NAN);
  if (a.kind == Kind::leaky_relu) mode.set(CUDNN_ATTR_POINTWISE_RELU_LOWER_CLIP_SLOPE, static_cast<double>(a.slope));
  text_ += fmt::format("{} {:.9g} ", static_cast<int>(a.kind), a.slope);
  pointwise("activation", std::move(mode),
            {{CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x}, {CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y}});
}

void OperationGraph::relu_backward(Tensor y, Tensor dy, Tensor dx) {
  pointwise("relu backward", pointwise_mode(CUDNN_POINTWISE_RELU_BWD),
            {{CUDNN_ATTR_OPERATION_POINTWISE_XDESC, y},
             {CUDNN_ATTR_OPERATION_POINTWISE_DYDESC, dy},
             {CUDNN_ATTR_OPERATION_POINTWISE_DXDESC, dx}});
}

void OperationGraph::sum_pixels(Tensor x, Tensor sum, bool any_order) {
  Descriptor mode(CUDNN_BACKEND_REDUCTION_DESCRIPTOR, "reduction");
  mode.set(CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_REDUCE_TENSOR_ADD)
      .set(CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_DATA_FLOAT)
      .set(CUDNN_ATTR_REDUCTION_IS_DETERMINISTIC, !any_order)
      .finalize();
  Descriptor operation(CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR, "sum over pixels");
  operation.set(CUDNN_ATTR_OPERATION_REDUCTION_DESC, mode);
  append(any_order ? "sum in any order" : "sum", std::move(operation),
         {{CUDNN_ATTR_OPERATION_REDUCTION_XDESC, x}, {CUDNN_ATTR_OPERATION_REDUCTION_YDESC, sum}}, std::move(mode));
}

void OperationGraph::finish(const Target& target) {
  graph_ = Descriptor(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, text_);
  graph_.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, std::span<const Descriptor>(operations_));
  if (target.handle_) graph_.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, target.handle_);
  graph_.finalize();
}

std::vector<EngineConfig> OperationGraph::engines(const Target& target, cudnnBackendHeurMode_t mode,
                                                  std::string& why_none) const {
  Descriptor heuristic(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, "heuristic");
  heuristic.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph_).set(CUDNN_ATTR_ENGINEHEUR_MODE, mode);
  if (target.properties_) heuristic.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, target.properties_);
  why_none = heuristic.try_finalize();
  std::vector<EngineConfig> all;
  if (!why_none.empty()) return all;
  const std::int64_t offered = heuristic.count(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR);
  if (offered == 0) why_none = "no engine takes this graph";
  for (Descriptor& config :
       heuristic.descriptors(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, offered)) {
    EngineConfig e;
    const auto engine = config.descriptors(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR, 1);
    e.engine = engine.front().values<std::int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX).front();
    e.notes = engine.front().values<cudnnBackendNumericalNote_t>(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE);
    e.config = std::move(config);
    all.push_back(std::move(e));
  }
  return all;
}

CudnnPlan::CudnnPlan(Descriptor plan, std::string& why_none) {
  why_none = plan.try_finalize();
  if (!why_none.empty()) return;
  workspace_bytes_ =
      static_cast<std::size_t>(plan.values<std::int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE).front());
  plan_ = std::move(plan);
}

CudnnPlan CudnnPlan::build(const Target& target, const EngineConfig& engine, std::string& why_none) {
  Descriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, "execution plan");
  plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, engine.config);
  if (target.handle_) plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, target.handle_);
  if (target.properties_) plan.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, target.properties_);
  return {std::move(plan), why_none};
}

CudnnPlan CudnnPlan::load(const Target& target, const std::string& json, std::string& why_none) {
  Descriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, "stored execution plan");
  if (target.handle_) plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, target.handle_);
  if (target.properties_) plan.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, target.properties_);
  plan.set(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, std::span<const char>(json));
  return {std::move(plan), why_none};
}

std::string CudnnPlan::json() const {
  const std::vector<char> text = plan_.values<char>(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION);
  return {text.begin(), text.end()};
}

void CudnnPlan::run(cudnnHandle_t handle, std::span<const std::int64_t> ids, std::span<void* const> pointers,
                    void* workspace) const {
  Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, "pointers of a plan");
  pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, ids)
      .set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, pointers)
      .set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, workspace)
      .finalize();
  check(cudnnBackendExecute(handle, plan_.get(), pack.get()), "running a plan");
}

}  // namespace ipa::cuda
