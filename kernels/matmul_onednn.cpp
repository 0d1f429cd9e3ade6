#include <array>
#include <memory>

#include "kernels/matmul.h"
#include "kernels/onednn.h"

namespace ipa::onednn {

PreparedMatmul prepare_matmul(const MatmulGeometry& g) {
  using dnnl::memory;
  using Tag = memory::format_tag;
  const memory::desc a({g.batch, g.m, g.k}, memory::data_type::f32, g.transpose_a ? Tag::acb : Tag::abc),
      b({g.batch, g.k, g.n}, memory::data_type::f32, Tag::abc),
      c({g.batch, g.m, g.n}, memory::data_type::f32, Tag::abc);
  dnnl::primitive_attr attributes = OnednnSequence::attributes();
  if (g.alpha != 1) attributes.set_output_scales(0, {g.alpha});
  const dnnl::matmul::primitive_desc p({a, b, c}, attributes, onednn_engine());
  auto sequence = std::make_shared<OnednnSequence>();
  const int out = sequence->operand(c, 0), left = sequence->operand(a, 1), right = sequence->operand(b, 2);
  sequence->add(dnnl::matmul(p), p.scratchpad_desc(),
                {{DNNL_ARG_SRC, left}, {DNNL_ARG_WEIGHTS, right}, {DNNL_ARG_DST, out}});
  return {[sequence](Stream&, void* to, const void* from_a, const void* from_b, void* workspace) {
            sequence->run(std::array<void*, 3>{to, const_cast<void*>(from_a), const_cast<void*>(from_b)}, workspace);
          },
          sequence->workspace_bytes()};
}

}  // namespace ipa::onednn
