// What network descriptions are written in: named layers that append ops to a graph and declare their parameters. In
// training mode batch norm uses batch statistics; in inference mode it is folded into the convolutions.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "graph/ops.h"
#include "graph/program.h"
#include "nets/parameters.h"

namespace ipa {

enum class Mode { training, inference };

// Batch norm's conventions differ between the networks (docs/numerics.md, "Batch norm").
struct BatchNormStyle {
  float eps = 1e-5f;
  float momentum = 0.1f;  // PyTorch's sense: the weight of the new batch
  Init gamma = Init::gamma_002;
};

class Layers {
 public:
  Layers(Graph& graph, Parameters& parameters, Mode mode, BatchNormStyle style, Init conv_init);
  Layers(const Layers&) = delete;  // folded weights and scopes point here
  Layers& operator=(const Layers&) = delete;

  // Names are relative to the open scopes: Scope("enc1"), then conv(x, "conv_a", ...) owns "NETWORK.enc1.conv_a...".
  class Scope {
   public:
    Scope(Layers& layers, const std::string& name);
    ~Scope() { layers_.prefix_.resize(length_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Layers& layers_;
    std::size_t length_;
    Graph::Scope graph_scope_;
  };

  // act(conv + bias), owning NAME.weight and NAME.bias.
  Value conv(Value x, const std::string& name, std::int64_t out, int kernel, ConvAttributes attributes,
             Activation a = {}) {
    return conv(x, name, out, kernel, attributes, a, conv_init_);
  }
  Value conv(Value x, const std::string& name, std::int64_t out, int kernel, ConvAttributes attributes, Activation a,
             Init init);
  // act(bn(conv)), the convolution without bias: NAME.conv.weight, NAME.bn.*; gamma as asked.
  Value conv_bn(Value x, const std::string& name, std::int64_t out, int kernel, ConvAttributes attributes, bool gamma,
                Activation a = {});
  // Transposed convolution 2x2, stride 2, with bias: NAME.weight, NAME.bias.
  Value up(Value x, const std::string& name, std::int64_t out);
  // relu(bn_concat[f1, f2, f3] + shortcut), normalised by bn_out; the shortcut is a 1x1 convolution of the block's
  // input.
  Value multires_end(Value input, Value f1, Value f2, Value f3);
  Pooled multires_end_pooled(Value input, Value f1, Value f2, Value f3);  // with max_pool2 of it
  // A ResPath unit: bn(relu(shortcut 1x1 + relu(conv 3x3))).
  Value respath_unit(Value input, std::int64_t out);

  // Every state the layers made, bound to the memory of the parameters (and of folded weights, which this owns).
  void bind(Program::Bindings& bindings);
  void fold();  // recomputes the folded weights from the parameters' present values

  // For updates (training mode). Call these when the network has been described.
  std::vector<Value> trainable() const;  // every trainable parameter's value, in order of declaration
  void differentiate(Value loss);        // appends its gradient, which is written into the parameters' flat gradients
  // The same over ranks: the mean over the ranks of the gradient of each rank's loss. It is summed in contiguous
  // buckets of about `bucket_bytes`, each of which sets out as soon as its gradients are complete, while the backward
  // pass goes on. Returns the means over the ranks of the scalars `report`, which travel with a bucket.
  std::vector<Value> differentiate(Value loss, const std::vector<Value>& report, Comm& comm, std::size_t bucket_bytes);
  // Running statistics become their means over the ranks; start before finish.
  void start_statistics(Comm& comm);
  void finish_statistics(Comm& comm);
  struct Flat {
    Value values, gradients, m, v;  // (1, 1, 1, n) each; the same memory as the parameters one by one
    Value copy;                     // in bf16, where the network computes in it
    Value updates;                  // a scalar: Adam's t
  };
  const Flat& flat();

 private:
  struct Folded {
    Value state;
    std::function<std::vector<float>()> compute;
  };
  struct Bucket {
    Value state;  // `count` of the flat gradients, from `first` on
    std::int64_t first, count;
    std::size_t members = 0;
  };
  struct ScaleShift {
    std::vector<float> scale, shift;
  };

  // Weights come in the type of the activations they meet; `dtype` is that.
  Value parameter(const std::string& full_name, const Shape& shape, Role role, Init init, DType dtype = DType::f32);
  BatchNorm batch_norm_of(const std::string& name, std::int64_t channels,
                          bool gamma);                         // declares NAME.{weight,bias,...}
  ScaleShift scale_shift(const std::string& full_name) const;  // what batch norm amounts to in inference
  void store_gradient(const Parameters::Entry& e, Value gradient);
  void make_buckets(std::size_t bucket_bytes);
  std::size_t room(const TensorSpec& folded) const;  // bytes of a folded state in its buffer
  Value folded(const TensorSpec& spec, std::function<std::vector<float>()> compute);
  struct MultiresEnd {
    BatchNorm shortcut, concat, out;
    Value shortcut_conv;
  };
  MultiresEnd multires_end_parts(Value input, std::int64_t channels);
  // A convolution without bias, as it is in training; in inference with batch norm `bn` folded in, and the shift of
  // `shift_bn`, where one is named, added to its bias.
  Value raw_conv(Value x, const std::string& name, std::int64_t out, int kernel, ConvAttributes attributes,
                 Activation a, const std::string& shift_bn = {});

  Graph& graph_;
  Parameters& parameters_;
  Mode mode_;
  BatchNormStyle style_;
  Init conv_init_;
  std::string prefix_;
  std::unordered_map<std::string, Value> values_, gradients_;  // by full name
  std::optional<Flat> flat_;
  std::vector<Bucket> buckets_;         // from the end of the flat gradients to their beginning
  std::vector<std::size_t> bucket_of_;  // by trainable parameter
  std::vector<Value> reports_;          // states, behind the flat gradients
  Value statistics_;                    // all running statistics as one state
  DType compute_ = DType::f32;          // of the weights
  std::vector<Folded> folded_;
  Buffer folded_buffer_;
};

}  // namespace ipa
