// An operation: an immutable rule that infers shapes, prepares a launch once, and differentiates itself into other ops.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/stream.h"
#include "engine/tensor.h"

namespace ipa {

class Graph;

// A handle to one tensor of a graph; a default-made one stands for "none" (no bias, no gradient).
struct Value {
  Graph* graph = nullptr;
  int id = -1;

  explicit operator bool() const { return graph != nullptr; }
  const TensorSpec& spec() const;
  const Shape& shape() const { return spec().shape; }
  friend bool operator==(const Value&, const Value&) = default;
};

// What a launch gets, every step. Inputs keep their positions; an absent input is a Tensor without data.
struct Call {
  Stream& stream;
  std::span<const Tensor> out;
  std::span<const Tensor> in;
  void* workspace;  // of Launch::workspace_bytes, 64-byte aligned
};

// What `prepare` makes: a closure that only enqueues; it neither allocates, locks, nor waits.
struct Launch {
  std::function<void(const Call&)> run;
  std::size_t workspace_bytes = 0;
  std::function<void(Stream&)> ready = {};  // slow, once before the first run, where it is there: builds library plans
};

// The least traffic and arithmetic an op can do its work with.
struct Cost {
  double bytes = 0;
  double flops = 0;
};

using Specs = std::span<const TensorSpec>;  // an absent input has zero channels
using Values = std::span<const Value>;

class Op {
 public:
  virtual ~Op() = default;

  virtual std::string name() const = 0;  // with the attributes a reader of a profile wants: "conv 3x3 s1"

  // Shapes of the outputs. Throws ErrorKind::internal with the op's name if the inputs do not fit.
  virtual std::vector<TensorSpec> infer(Specs in) const = 0;

  // Chooses and builds what runs (slow, once).
  virtual Launch prepare(Device device, Specs in, Specs out) const = 0;

  // Appends the gradient of each input to the graph, in terms of other ops, and returns them: none where `needs` is
  // false or no gradient flows. dout[i] is none if output i does not reach the loss. Default: throws by name.
  virtual std::vector<Value> vjp(Values in, Values out, Values dout, const std::vector<bool>& needs) const;

  // Appends what makes output `o` once more, bit by bit, of the inputs and the small outputs (statistics), and returns
  // it: none where that is not cheap. grad() has the backward pass read it, so that the output itself need not be kept.
  // Only for an op whose gradient reads the same inputs: else these would be kept instead.
  virtual Value recompute(Values /*in*/, Values /*out*/, int /*o*/) const { return {}; }

  // Whether output `o` may share the memory of input `i` when that dies here.
  virtual bool in_place(int /*i*/, int /*o*/) const { return false; }

  // Whether the kernels read input `i`, or write output `o`, at any pixel pitch (engine/tensor.h): it may then lie
  // among the channels of a wider tensor.
  virtual bool pitched_input(int /*i*/, Device, Specs /*in*/) const { return false; }
  virtual bool pitched_output(int /*o*/) const { return false; }

  // Of an op that moves nothing, but says that each input and its only output lie in one memory: the narrower of the
  // two is the channels of the wider one from this on. None: it is an op like all others.
  virtual std::optional<std::int64_t> first_channel(int /*i*/) const { return {}; }

  // Whether input `i`, a state of the graph, is written by this op (running statistics, parameters under Adam).
  virtual bool mutates(int /*i*/) const { return false; }

  // Default: every input read once, every output written once, no arithmetic. Asked with shapes as they lie in a
  // device's memory, padding included, it must tell the bytes there (graph/cost.h).
  virtual Cost cost(Specs in, Specs out) const;

 protected:
  Cost moving(Specs in, Specs out, double flops) const;  // the default's bytes, and so much arithmetic
};

using OpPtr = std::shared_ptr<const Op>;

}  // namespace ipa
