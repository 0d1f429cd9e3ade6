// ipamedgan evaluate: a model's scores beside those of its baselines.
#include <fmt/core.h>

#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "apps/commands.h"
#include "apps/evaluation_report.h"
#include "apps/network_options.h"
#include "apps/output.h"
#include "apps/score_report.h"
#include "apps/training_curves.h"
#include "engine/error.h"
#include "io/atomic_file.h"

namespace ipa {
namespace {

struct Arguments {
  std::filesystem::path model, out;
  EvaluationSource source;
  std::string dataset;
  NetworkArguments network;
  std::optional<std::int64_t> clean;
};

// What `corrupt` wrote has holes already: scoring against it would reward leaving them open.
void require_clean(const StackReader& data) {
  if (data.info().dataset == "target" || !data.file().exists("target") || !data.file().exists("masks")) return;
  fail(ErrorKind::input, "the slices are corrupted already: the file holds /target and /masks",
       data.file().path().string(), "pass the clean stack, or --dataset target");
}

void make_folder(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error || !std::filesystem::is_directory(path))
    fail(ErrorKind::io, "cannot make the folder: " + (error ? error.message() : std::string("a file is in its place")),
         path.string(), "choose another --out");
}

void run(Arguments& arguments, const Common& common) {
  const SliceNetworkOptions options = checked_network_options(arguments.network);
  arguments.source.views = options.views;
  const int clean =
      within("--clean", arguments.clean.value_or(std::numeric_limits<int>::max()), 0, std::numeric_limits<int>::max());
  const Model model = load_trained(arguments.model, open_device(common));
  StackReader data(arguments.source.data, arguments.dataset);
  require_clean(data);
  const MaskFile masks(arguments.source.masks);
  std::vector<Chart> curves;
  if (std::filesystem::is_directory(arguments.model)) curves = training_curves(arguments.model);
  Evaluator evaluator(model, data, masks, options);
  if (!model.calibrated)
    warn(fmt::format("the model has no calibrated change threshold, {} is taken", model.change_threshold));

  make_folder(arguments.out);
  const auto html = arguments.out / "report.html";  // all three refused before the work
  AtomicFile scores(arguments.out / "scores.json", common.force), csv(arguments.out / "per_slice.csv", common.force),
      report(html, common.force);

  const Evaluation evaluation = evaluator.run(clean, common.quiet);
  const nlohmann::ordered_json document = evaluation_json(evaluation, model, arguments.source);
  csv.write(per_slice_csv(evaluation.scores));
  report.write(render_report(evaluation_report(evaluation, model, arguments.source, evaluator, std::move(curves))));
  scores.write(json_text(document) + "\n");
  AtomicFile::commit({&csv, &report, &scores});

  if (common.json) {
    print_json(document);
    return;
  }
  for (const std::string& method : evaluation.scores.methods())
    print_line(scores_text(evaluation.scores, method) + "\n");
  if (evaluation.clean > 0)
    print_line(fmt::format("false change  {:.4f} % of the pixels of {} clean slices, at a threshold of {:.4g}",
                           100 * evaluation.false_change, evaluation.clean, model.change_threshold));
  print_line(fmt::format("report        {}", html.string()));
}

}  // namespace

void declare_evaluate(Command& command) {
  auto a = std::make_shared<Arguments>();
  command.describe(
      "Scores a model beside its baselines, and writes a report.",
      "Each clean slice gets a hole and is restored; slice i takes mask i where the counts are equal, else mask i mod\n"
      "the number of masks. Methods: corrupted (the input itself), harmonic (smooth continuation, told the mask), raw\n"
      "(what the network made), composite (that where the change map says so, the input elsewhere). Writes\n"
      "DIR/scores.json, DIR/per_slice.csv and DIR/report.html.",
      {"evaluate --model runs/a --data test.h5 --masks masks.h5 --out results/a",
       "evaluate --model runs/a/best.h5 --data test.h5 --masks masks.h5 --out results/a --force --json"});
  command.option("--model", "RUN_OR_FILE", a->model, "Run folder (its best checkpoint, else the newest) or checkpoint",
                 Need::required);
  command.option("--data", "S.h5", a->source.data, "Stack of clean slices", Need::required);
  command.option("--dataset", "PATH", a->dataset, "Its dataset (default: images, image, data, ...)");
  command.option("--masks", "M.h5", a->source.masks, "Masks, as `ipamedgan masks` writes them", Need::required);
  command.option("--out", "DIR", a->out, "Folder of the results, made where missing", Need::required);
  declare_network_options(command, a->network);
  command.option("--clean", "N", a->clean,
                 "Slices, evenly spaced, to measure the false-change rate with (default: all; 0: none)");
  command.run([a](const Common& common) { run(*a, common); });
}

}  // namespace ipa
