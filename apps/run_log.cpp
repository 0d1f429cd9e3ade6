#include "apps/run_log.h"

#include <array>

#include "engine/transfer.h"
#include "kernels/metrics.h"

namespace ipa {
namespace {

constexpr std::array columns{
    "d_global", "d_patch",     "adversarial",  "l1",   "perceptual",         "style",
    "total",    "grad_norm_g", "images_per_s", "hole", "grad_norm_d_global", "grad_norm_d_patch",
    "step_ms",  "data_wait_ms"};

// Panels side by side in one picture.
Image8 side_by_side(std::span<const std::vector<std::uint8_t>> panels, int side) {
  Image8 image;
  image.width = side * static_cast<int>(panels.size());
  image.height = side;
  image.channels = 1;
  for (int row = 0; row < side; ++row)
    for (const auto& panel : panels)
      image.pixels.insert(image.pixels.end(), panel.begin() + row * side, panel.begin() + (row + 1) * side);
  return image;
}

}  // namespace

Image8 pictures_of(const Trainer& trainer) {
  const auto side = static_cast<int>(trainer.target().shape.w);
  std::array<std::vector<std::uint8_t>, 3> panels;
  std::array tensors{trainer.corrupted(), trainer.fake(), trainer.target()};
  for (std::size_t i = 0; i < panels.size(); ++i) {
    tensors[i].shape.n = 1;
    const std::vector<float> pixels = to_host(tensors[i]);
    panels[i].resize(pixels.size());
    quantize_u8(pixels, -1, 1, panels[i]);
  }
  return side_by_side(panels, side);
}

RunLog::RunLog(const std::filesystem::path& run, std::int64_t resumed_step)
    : metrics_(run / "metrics.csv", {columns.begin(), columns.end()}, resumed_step), events_(run, resumed_step + 1) {}

void RunLog::step(std::int64_t step, const StepMetrics& m, const StepTiming& timing, std::int64_t images) {
  const double rate = 1000.0 * static_cast<double>(images) / timing.step_ms;
  const std::array values{
      m.d_global,     m.d_patch,          m.adversarial, m.l1,   m.perceptual,         m.style,
      m.total,        m.grad_norm_g,      rate,          m.hole, m.grad_norm_d_global, m.grad_norm_d_patch,
      timing.step_ms, timing.data_wait_ms};
  static_assert(values.size() == columns.size());
  metrics_.append(step, values);
  std::vector<std::pair<std::string, double>> scalars;
  for (std::size_t i = 0; i < values.size(); ++i) scalars.emplace_back(std::string("train/") + columns[i], values[i]);
  events_.scalars(step, scalars);
}

void RunLog::validation(std::int64_t step, const ValidationResult& r, int side) {
  events_.scalars(step,
                  std::vector<std::pair<std::string, double>>{{"validation/psnr_mask", r.psnr_mask},
                                                              {"validation/psnr_whole", r.psnr_whole},
                                                              {"validation/psnr_mask_corrupted", r.psnr_mask_corrupted},
                                                              {"validation/change_threshold", r.change_threshold},
                                                              {"validation/false_change", r.false_change}});
  events_.image(step, "validation/input_output_target", side_by_side(std::array{r.input, r.output, r.target}, side));
}

void RunLog::pictures(std::int64_t step, const Image8& image) {
  events_.image(step, "train/input_output_target", image);
}

void RunLog::sync() {
  metrics_.sync();
  events_.sync();
}

}  // namespace ipa
