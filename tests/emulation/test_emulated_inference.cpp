// The generator with batch norm folded on the device, against PyTorch.
#include <catch2/catch.hpp>

#include "engine/transfer.h"
#include "nets/inpainter.h"
#include "tests/support/device_under_test.h"
#include "tests/support/golden_weights.h"

using namespace ipa;
using namespace ipa::test;

namespace {

constexpr double float32_errors = 8;  // as tests/test_golden_nets.cpp
constexpr double bf16_errors = 2;

}  // namespace

TEST_CASE("the cascade in inference agrees with PyTorch on the device", "[golden]") {
  const bool residual = GENERATE(false, true);
  const DType compute = GENERATE(DType::f32, DType::bf16);
  const std::string file = residual ? "net_generator_residual" : "net_generator";
  const Golden golden(file);
  const NetOptions options{.width = 4, .residual = residual, .bn_momentum = residual ? 0.9 : 0.99};
  Parameters parameters("generator", device_under_test);
  const Shape y = golden.nhwc_shape("y");
  Inpainter inpainter(parameters, options, y.n, y.h, y.w, compute);
  load_weights(parameters, golden);
  inpainter.fold();
  from_host(golden["y"].values, inpainter.input());  // one channel: the order of NCHW is that of the rows
  inpainter.run();
  const std::vector<float> output = to_host(inpainter.output());
  const double distance = compute == DType::f32 ? golden.distance_in_float32_errors("output_inference", output)
                                                : golden.distance_in_bf16_errors("output_inference", output);
  WARN(file << ": " << distance << " " << to_string(compute) << " errors of PyTorch");
  CHECK(distance <= (compute == DType::f32 ? float32_errors : bf16_errors));
}
