#include "kernels/conv_direct.cuh"

#include <utility>

namespace ipa::cuda {
namespace {

constexpr unsigned threads = 256;

dim3 blocks(std::int64_t elements) { return dim3(static_cast<unsigned>((elements + threads - 1) / threads)); }

DirectGeometry direct_geometry(const ConvProblem& p) {
  const ConvLayout x = conv_layout(p, ConvOperand::x), y = conv_layout(p, ConvOperand::y);
  const ConvGeometry& g = p.geometry;
  return {x.spec.shape, y.spec.shape, g.w.h, g.w.w, x.pitch, y.pitch, g.stride, g.pad, g.dilation};
}

template <class T>
void direct(Stream& stream, const ConvProblem& p, const ConvPointers& operands, float* result) {
  auto at = [&](ConvOperand o) { return static_cast<const T*>(operands[static_cast<std::size_t>(o)]); };
  auto vector = [&](bool there, ConvOperand o) {
    return there ? static_cast<const float*>(operands[static_cast<std::size_t>(o)]) : nullptr;
  };
  const ConvFusion& f = p.fusion;
  DirectGeometry g = direct_geometry(p);
  const T *x = at(ConvOperand::x), *w = at(ConvOperand::w), *y = at(ConvOperand::y);
  switch (p.pass) {
    case ConvPass::forward:
      return with_activation(f.activation, [&](auto a) {
        launch(stream, blocks(g.y.elements()), threads, 0, forward_direct<T, decltype(a)>, result, x, w,
               vector(f.normalise, ConvOperand::scale), vector(f.normalise, ConvOperand::shift),
               vector(f.bias, ConvOperand::bias), g, a);
      });
    case ConvPass::dgrad: {
      const T *added = f.add ? at(ConvOperand::added) : nullptr,
              *relu = f.relu_backward ? at(ConvOperand::relu) : nullptr;
      return launch(stream, blocks(g.x.elements()), threads, 0, dgrad_direct<T>, result, y, w, added, relu, g);
    }
    case ConvPass::wgrad:
      return launch(stream,
                    dim3(static_cast<unsigned>((g.x.c + 31) / 32), static_cast<unsigned>(g.kernel_h * g.kernel_w),
                         static_cast<unsigned>(g.y.c)),
                    2 * threads, 2 * threads * sizeof(double), wgrad_direct<T>, result, x, y, g);
  }
}

// Calls f with a pointer of the type that `dtype` names.
template <class F>
void with_type(DType dtype, F&& f) {
  if (dtype == DType::bf16) return f(static_cast<bf16*>(nullptr));
  require(dtype == DType::f32, "direct convolution: bf16 or f32");
  f(static_cast<float*>(nullptr));
}

}  // namespace

void conv_direct(Stream& stream, const ConvProblem& problem, const ConvPointers& operands, float* result) {
  with_type(problem.dtype, [&]<class T>(T*) { direct<T>(stream, problem, operands, result); });
}

void conv_direct_statistics(Stream& stream, const ConvProblem& problem, const float* result, float* sums) {
  const Shape y = conv_layout(problem, ConvOperand::y).spec.shape;
  launch(stream, dim3(static_cast<unsigned>(y.c)), threads, 2 * threads * sizeof(double), statistics_direct, sums,
         result, y.pixels(), y.c);
}

void flip_filters(Stream& stream, const Shape& w_shape, DType dtype, void* wt, const void* w) {
  const Shape s{padded_channels(w_shape.n), w_shape.h, w_shape.w, padded_channels(w_shape.c)};
  with_type(dtype, [&]<class T>(T*) {
    launch(stream, blocks(s.elements()), threads, 0, flip_kernel<T>, static_cast<T*>(wt), static_cast<const T*>(w), s);
  });
}

void fill_random(Stream& stream, DType dtype, void* data, std::int64_t count, float amplitude, std::uint32_t seed) {
  with_type(dtype, [&]<class T>(T*) {
    launch(stream, blocks(count), threads, 0, random_kernel<T>, static_cast<T*>(data), count, amplitude, seed);
  });
}

void fill_value(Stream& stream, DType dtype, void* data, std::int64_t count, float value) {
  with_type(dtype, [&]<class T>(T*) {
    launch(stream, blocks(count), threads, 0, value_kernel<T>, static_cast<T*>(data), count, value);
  });
}

void compare(Stream& stream, const ConvLayout& layout, const void* values, const float* reference,
             std::int64_t nan_channels, Difference* result) {
  constexpr unsigned many = 1024;
  with_type(layout.spec.dtype, [&]<class T>(T*) {
    launch(stream, dim3(1), many, many * sizeof(Difference), compare_kernel<T>, result, static_cast<const T*>(values),
           reference, layout.spec.shape.pixels(), layout.spec.shape.c, layout.pitch, nan_channels);
  });
}

}  // namespace ipa::cuda
