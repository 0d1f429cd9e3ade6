#include "apps/train_run.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <deque>

#include "apps/gan_state.h"
#include "apps/output.h"
#include "apps/post_mortem.h"
#include "apps/progress.h"
#include "apps/run_log.h"
#include "apps/sampling.h"
#include "apps/stop_signal.h"
#include "apps/validation.h"
#include "apps/vgg_file.h"
#include "engine/error.h"
#include "io/atomic_file.h"
#include "io/run_folder.h"
#include "io/run_lock.h"
#include "io/stack.h"
#include "io/vgg_import.h"

namespace fs = std::filesystem;

namespace ipa {
namespace {

using Clock = std::chrono::steady_clock;
double milliseconds(Clock::duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

// What may change between the sessions of a run: how long it goes on and what it saves, not what it computes.
bool may_change(const std::string& key) {
  return key == "train.steps" || key == "train.epochs" || key.starts_with("checkpoint.") ||
         key.starts_with("validate.");
}

class TrainRun {
 public:
  explicit TrainRun(const TrainRequest& request)
      : request_(request),
        folder_(made(request.run)),
        lock_(folder_),
        latest_(latest()),
        settings_(effective_settings()),
        slices_(request.train, settings_.data.size),
        sampler_(slices_.count(), settings_.train),
        data_(slices_, settings_.data, settings_.train, request.device),
        gan_(request.device),
        trainer_(gan_, step_options(settings_, sampler_.batch(), request.device), nullptr, data_.get()) {
    check_data();
    load_networks();
    if (request.val) {
      held_out_.emplace(std::vector{*request.val}, settings_.data.size);
      check_subjects();
      validation_ = std::make_unique<Validation>(*held_out_, settings_, gan_.generator, settings_.validate.slices,
                                                 sampler_.batch(), &trainer_.program().arena());
    }
    total_ = settings_.train.steps > 0 ? settings_.train.steps : settings_.train.epochs * sampler_.steps_per_epoch();
    best_ = best_score(folder_);
    outcome_.begun_at = trainer_.state().step;
  }

  TrainOutcome run() {
    write_file(folder_ / "settings.toml", to_toml(settings_));
    if (trainer_.state().step >= total_) {
      say(fmt::format("the run is at step {} of {}: nothing to do; --steps sets another goal", trainer_.state().step,
                      total_));
      return finish();
    }
    RunLog log(folder_, trainer_.state().step);
    announce();
    StopSignal stop;
    Progress progress("train", "step", total_, request_.quiet, 0, trainer_.state().step);
    const Clock::time_point start = Clock::now();
    read_at_ = start;
    for (std::int64_t step = trainer_.state().step + 1; step <= total_; ++step) {
      enqueue(step);
      const bool last = step == total_, stopped = stop.received() != 0;
      const bool validates = validation_ && (last || step % settings_.validate.every == 0);
      const bool saves = last || stopped || step % settings_.checkpoint.every == 0;
      read(log, progress, validates || saves);
      if (!validates && !saves) continue;
      const Image8 pictures = saves ? pictures_of(trainer_) : Image8{};  // before validation takes the arena
      if (validates) validate(log, progress);
      if (saves) {
        log.pictures(step, pictures);
        log.sync();
        save(checkpoint_path(folder_, step));
        prune_checkpoints(folder_, step, static_cast<int>(settings_.checkpoint.keep));
      }
      if (stopped && !last)
        fail(ErrorKind::stopped, fmt::format("stopped by signal {} at step {}, state saved", stop.received(), step),
             folder_.string(), "the same command goes on from there");
      read_at_ = Clock::now();
    }
    outcome_.seconds = milliseconds(Clock::now() - start) / 1000;
    return finish();
  }

 private:
  struct Batch {
    std::vector<std::int64_t> slices;
    double wait_ms = 0;  // to choose them
  };

  static fs::path made(const fs::path& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) fail(ErrorKind::io, "cannot make the run folder: " + error.message(), folder.string(), "check the path");
    return folder;
  }

  std::optional<Checkpoint> latest() const {
    sweep_temporaries(folder_);
    return load_latest(folder_, [](const std::string& text) { warn(text); });
  }

  Settings effective_settings() const {
    Settings settings = request_.settings;
    if (request_.seed) settings.train.seed = *request_.seed;
    if (latest_) {
      const Settings stored = parse_settings(latest_->settings, checkpoint_path(folder_, latest_->step).string());
      if (!request_.settings_given) {
        settings = stored;
        if (request_.seed) settings.train.seed = *request_.seed;
      }
      std::string changed;
      for (const std::string& key : differing_keys(stored, settings))
        if (!may_change(key)) changed += (changed.empty() ? "" : ", ") + key;
      if (!changed.empty())
        fail(ErrorKind::usage, "the run was begun with other settings: " + changed, folder_.string(),
             "go on without --preset, --config, --set and --seed, or choose another --run");
    }
    if (request_.stop_at) settings.train.steps = *request_.stop_at;
    return settings;
  }

  void check_data() const {
    if (sampler_.batch() < settings_.train.batch)
      warn(fmt::format("{} slices are fewer than train.batch = {}: every step takes them all", slices_.count(),
                       settings_.train.batch));
    if (latest_ && !latest_->fingerprint.empty() && latest_->fingerprint != slices_.fingerprint())
      fail(ErrorKind::usage, "the training data are not those that the run was begun with",
           request_.train.front().string(), "name the same stacks in the same order, or choose another --run");
  }

  void check_subjects() const {
    if (request_.shared_subjects) return;
    const std::vector<std::string> both = shared_subjects(slices_, *held_out_);
    if (both.empty()) return;
    std::string names;
    for (std::size_t i = 0; i < std::min<std::size_t>(both.size(), 5); ++i) names += (i ? ", " : "") + both[i];
    fail(ErrorKind::input,
         fmt::format("{} subjects are in the training and in the validation data ({})", both.size(), names),
         request_.val->string(), "split by subject, or allow it with --shared-subjects");
  }

  void load_networks() {
    if (settings_.loss.style > 0) {
      const fs::path file = find_vgg19(request_.vgg);
      gan_.vgg19.load(read_vgg19(file, static_cast<int>(settings_.loss.style_layers)), file.string());
    }
    if (latest_) {
      trainer_.set_state(restore(*latest_, checkpoint_path(folder_, latest_->step).string(), gan_));
      calibration_ = latest_->calibration;
      score_ = latest_->score;
      latest_->weights.clear();
      latest_->adam.clear();
    } else {
      const auto seed = static_cast<std::uint64_t>(settings_.train.seed);
      for (Parameters* p : {&gan_.generator, &gan_.disc_global, &gan_.disc_patch}) p->initialise(seed);
    }
  }

  void say(const std::string& text) const {
    if (!request_.quiet) fmt::print(stderr, "ipamedgan: {}\n", text);
  }

  void announce() const {
    if (request_.quiet) return;
    fmt::print(stderr, "{}\n", to_toml(settings_));
    std::size_t bytes = 0;
    for (const Buffer::Holding& held : Buffer::holdings()) bytes += held.bytes;
    say(fmt::format("{} {} slices in batches of {}, {} steps an epoch; {:.1f} million parameters; {:.0f} MiB",
                    trainer_.state().step > 0 ? fmt::format("goes on from step {}:", trainer_.state().step) : "begins:",
                    slices_.count(), sampler_.batch(), sampler_.steps_per_epoch(),
                    static_cast<double>(gan_.generator.trainable_count() + gan_.disc_global.trainable_count() +
                                        gan_.disc_patch.trainable_count()) /
                        1e6,
                    static_cast<double>(bytes) / (1 << 20)));
  }

  // On CUDA some steps are under way at a time; on the CPU each is done when it was enqueued.
  void enqueue(std::int64_t step) {
    const Clock::time_point asked = Clock::now();
    Batch batch{sampler_.slices_of(step - 1)};
    batch.wait_ms = milliseconds(Clock::now() - asked);
    trainer_.enqueue(static_cast<double>(step - 1) / static_cast<double>(total_), batch.slices);
    under_way_.push_back(std::move(batch));
  }

  // Takes down what is done and makes room for another step; with `all`, waits for every step under way.
  void read(RunLog& log, Progress& progress, bool all) {
    while (const std::optional<StepMetrics> m = trainer_.read(all || trainer_.full())) {
      const Batch batch = take_down(*m, log, progress);
      if (not_finite_ == most_not_finite) diverged(*m, batch, log, progress);
    }
  }

  Batch take_down(const StepMetrics& m, RunLog& log, Progress& progress) {
    const Batch batch = std::move(under_way_.front());
    under_way_.pop_front();
    const Clock::time_point now = Clock::now();
    const double step_ms = std::max(milliseconds(now - read_at_), 1e-3);
    read_at_ = now;
    log.step(m.step, m, {step_ms, batch.wait_ms}, sampler_.batch());
    not_finite_ = m.finite ? 0 : not_finite_ + 1;
    if (!m.finite)
      progress.note(fmt::format("ipamedgan: warning: step {} is not finite, its update was skipped", m.step));
    if (m.finite || not_finite_ < most_not_finite)
      progress.update(m.step,
                      fmt::format("total {:.4g}, l1 {:.4g}, D {:.3g}/{:.3g}", m.total, m.l1, m.d_global, m.d_patch));
    return batch;
  }

  // A step that is not finite changed nothing; a few in a row will not mend themselves. The steps after it that are
  // already under way are read first: the report is of the last.
  [[noreturn]] void diverged(StepMetrics m, Batch batch, RunLog& log, Progress& progress) {
    while (const std::optional<StepMetrics> next = trainer_.read(true)) {
      m = *next;
      batch = take_down(m, log, progress);
    }
    const fs::path report = folder_ / "post_mortem.json";
    write_post_mortem(report, trainer_, gan_, m, batch.slices);
    fail(ErrorKind::numerical, fmt::format("{} steps in a row were not finite", most_not_finite), report.string(),
         "lower train.lr or the loss weights; the last checkpoint is sound");
  }

  void validate(RunLog& log, Progress& progress) {
    const ValidationResult r = validation_->run();
    const std::int64_t step = trainer_.state().step;
    log.validation(step, r, static_cast<int>(slices_.size()));
    score_ = r.psnr_mask;
    calibration_ = {{"change_threshold", r.change_threshold}, {"false_change", r.false_change}};
    const bool best = !best_ || r.psnr_mask > *best_;
    if (best) {
      best_ = r.psnr_mask;
      save(best_path(folder_));
    }
    if (!request_.quiet)
      progress.note(fmt::format(
          "step {}: {} held-out slices, PSNR in the mask {:.2f} dB (corrupted {:.2f}), whole {:.2f} dB{}", step,
          validation_->count(), r.psnr_mask, r.psnr_mask_corrupted, r.psnr_whole, best ? ", the best so far" : ""));
  }

  void save(const fs::path& path) {
    Checkpoint c;
    snapshot(gan_, trainer_.state(), c);
    c.epoch = c.step / sampler_.steps_per_epoch();
    c.sample = c.step % sampler_.steps_per_epoch() * sampler_.batch();
    c.settings = to_toml(settings_);
    c.fingerprint = slices_.fingerprint();
    c.version = IPA_VERSION;
    c.created = creation_info();
    c.score = score_;
    c.calibration = calibration_;
    write_checkpoint(path, c);
  }

  TrainOutcome finish() {
    outcome_.step = trainer_.state().step;
    outcome_.best_psnr_mask = best_;
    return outcome_;
  }

  const TrainRequest& request_;
  fs::path folder_;
  RunLock lock_;
  std::optional<Checkpoint> latest_;
  Settings settings_;
  SliceSet slices_;
  Sampler sampler_;
  ResidentData data_;
  Gan gan_;
  Trainer trainer_;
  std::optional<SliceSet> held_out_;
  std::unique_ptr<Validation> validation_;
  std::optional<double> best_, score_;
  std::map<std::string, double> calibration_;
  std::int64_t total_ = 0;
  std::deque<Batch> under_way_;
  Clock::time_point read_at_;  // of the last step read, or of the end of what stood between two steps
  static constexpr int most_not_finite = 5;
  int not_finite_ = 0;
  TrainOutcome outcome_;
};

}  // namespace

TrainOutcome train(const TrainRequest& request) {
  // Before a run folder is made for nothing.
  for (const fs::path& stack : request.train) StackReader{stack};
  if (request.val) StackReader{*request.val};
  return TrainRun(request).run();
}

}  // namespace ipa
