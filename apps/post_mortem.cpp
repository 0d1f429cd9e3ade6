#include "apps/post_mortem.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/transfer.h"
#include "io/atomic_file.h"

namespace ipa {
namespace {

// As text where it is not finite, which JSON cannot say.
nlohmann::json number(double v) {
  if (std::isfinite(v)) return v;
  return std::isnan(v) ? "nan" : "inf";
}

double norm(const Tensor& t) {
  double sum = 0;
  for (const float v : to_host(t)) sum += double{v} * v;
  return std::sqrt(sum);
}

}  // namespace

void write_post_mortem(const std::filesystem::path& path, const Trainer& trainer, const Gan& gan, const StepMetrics& m,
                       const std::vector<std::int64_t>& slices) {
  nlohmann::ordered_json report;
  report["step"] = trainer.state().step;
  report["slices"] = slices;
  report["losses"] = {{"d_global", number(m.d_global)},
                      {"d_patch", number(m.d_patch)},
                      {"adversarial", number(m.adversarial)},
                      {"l1", number(m.l1)},
                      {"perceptual", number(m.perceptual)},
                      {"style", number(m.style)},
                      {"hole", number(m.hole)},
                      {"total", number(m.total)}};
  for (const Parameters* p : {&gan.generator, &gan.disc_global, &gan.disc_patch})
    for (const Parameters::Entry& e : p->entries()) {
      auto& entry = report["parameters"][e.name];
      entry["norm"] = number(norm(p->value(e)));
      if (e.trainable()) entry["gradient"] = number(norm(p->gradient(e)));
    }
  write_file(path, report.dump(1) + "\n");
}

}  // namespace ipa
