#include "apps/train_run.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdio>
#include <deque>

#include "apps/gan_state.h"
#include "apps/output.h"
#include "apps/post_mortem.h"
#include "apps/progress.h"
#include "apps/ranks.h"
#include "apps/run_log.h"
#include "apps/run_settings.h"
#include "apps/sampling.h"
#include "apps/stop_signal.h"
#include "apps/validation.h"
#include "apps/vgg_file.h"
#include "engine/error.h"
#include "io/atomic_file.h"
#include "io/fingerprint.h"
#include "io/run_folder.h"
#include "io/run_lock.h"
#include "io/stack.h"
#include "io/vgg_import.h"

namespace fs = std::filesystem;

namespace ipa {
namespace {

using Clock = std::chrono::steady_clock;
double milliseconds(Clock::duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

// What must be the same on all ranks before they begin.
std::string fingerprint_of(const TrainRequest& request) {
  Fingerprint f;
  f.text(to_toml(request.settings));
  for (const std::int64_t given :
       {request.settings_given, request.val.has_value(), request.ranks_changed, request.dry_run})
    f.number(given);
  for (const std::optional<std::int64_t>& n : {request.seed, request.stop_at}) f.number(n ? *n : -1);
  return fmt::format("version {} on {}, settings {}", IPA_VERSION, request.device.is_cpu() ? "cpu" : "cuda", f.hex());
}

class TrainRun {
 public:
  TrainRun(const TrainRequest& request, Ranks& ranks)
      : request_(request),
        ranks_(ranks),
        folder_(request.run),
        latest_(latest()),
        settings_(settings_of_run(request, latest_, ranks.count())),
        slices_(request.train, settings_.data.size),
        sampler_(slices_.count(), settings_.train, ranks.rank(), ranks.count()),
        data_(slices_, settings_.data, settings_.train, sampler_.first_sample(), request.device),
        needed_(request.dry_run ? require_memory(settings_, sampler_.batch(), request.device) : MemoryNeed{}),
        gan_(request.device),
        trainer_(gan_, step_options(settings_, sampler_.batch(), request.device), ranks.comm(), data_.get()) {
    check_data();
    load_networks();
    if (request.val && ranks.first()) {
      held_out_.emplace(std::vector{*request.val}, settings_.data.size);
      check_subjects();
      validation_ = std::make_unique<Validation>(*held_out_, settings_, gan_.generator, settings_.validate.slices,
                                                 sampler_.batch(), &trainer_.program().arena());
      if (request.dry_run)
        trial_ = std::make_unique<Validation>(*held_out_, settings_, gan_.generator,
                                              std::min(sampler_.batch(), validation_->count()), sampler_.batch(),
                                              &trainer_.program().arena());
    }
    total_ = settings_.train.steps > 0 ? settings_.train.steps : settings_.train.epochs * sampler_.steps_per_epoch();
    if (ranks.first()) best_ = best_score(folder_);
    outcome_.begun_at = trainer_.state().step;
  }

  TrainOutcome run() {
    if (ranks_.first()) write_file(folder_ / "settings.toml", to_toml(settings_));
    if (trainer_.state().step >= total_) {
      say(fmt::format("the run is at step {} of {}: nothing to do; --steps sets another goal", trainer_.state().step,
                      total_));
      return finish();
    }
    if (ranks_.first()) log_.emplace(folder_, trainer_.state().step);
    announce();
    Progress progress("train", "step", total_, request_.quiet, 0, trainer_.state().step);
    const Clock::time_point start = Clock::now();
    read_at_ = start;
    for (std::int64_t step = trainer_.state().step + 1; step <= total_; ++step) {
      enqueue(step);
      const bool last = step == total_;
      const bool validates = request_.val && (last || step % settings_.validate.every == 0);
      const bool due = last || step % settings_.checkpoint.every == 0;
      read(progress, validates || due);
      // Bit n: signal n came; bit 0: diverged. Ranks may read a step at different times, but leave after the same one.
      const unsigned raised = ranks_.any((stop_.received() ? 1u << stop_.received() : 0u) | unsigned{diverged_});
      const unsigned signals = raised & ~1u;
      if (raised) read(progress, true);
      if (diverged_) diverged();
      if (!validates && !due && !signals) continue;
      ranks_.rest();
      if (ranks_.first()) keep(step, validates, due || signals, progress);
      ranks_.wait();
      if (signals && !last)
        fail(ErrorKind::stopped,
             fmt::format("stopped by signal {} at step {}, state saved", std::countr_zero(signals), step),
             folder_.string(), "the same command goes on from there");
      read_at_ = Clock::now();
    }
    outcome_.seconds = milliseconds(Clock::now() - start) / 1000;
    return finish();
  }

  TrainPlan plan() {
    TrainPlan p{.run = folder_, .settings = settings_, .device = request_.device, .memory = needed_};
    p.begins_at = trainer_.state().step;
    p.total = total_;
    p.steps_per_epoch = sampler_.steps_per_epoch();
    p.slices = slices_.count();
    p.step_size = sampler_.step_size();
    p.processes = ranks_.count();
    if (held_out_) p.held_out = held_out_->count(), p.validated = validation_->count();
    for (const Parameters* n : {&gan_.generator, &gan_.disc_global, &gan_.disc_patch}) p.disk.add_network(*n);
    p.disk.look_at(folder_, p.saves(), settings_.checkpoint.keep, request_.val.has_value());
    if (p.begins_at < total_) measure(p);
    return p;
  }

 private:
  struct Batch {
    std::vector<std::int64_t> slices;
    double wait_ms = 0;  // to choose them
  };

  // Makes the folder and takes it, on the first rank; what it finds there, all ranks hear of.
  std::optional<Checkpoint> latest() {
    std::optional<Checkpoint> found;
    if (ranks_.first() && request_.dry_run) {
      found = look_into_run(folder_);
    } else if (ranks_.first()) {
      std::error_code error;
      fs::create_directories(folder_, error);
      if (error)
        fail(ErrorKind::io, "cannot make the run folder: " + error.message(), folder_.string(), "check the path");
      lock_.emplace(folder_);
      sweep_temporaries(folder_);
      found = load_latest(folder_, [](const std::string& text) { warn(text); });
    }
    ranks_.hand_out(found);
    return found;
  }

  void check_data() {
    ranks_.require_equal(slices_.fingerprint(), "has other training data than rank 0",
                         "give all processes the same stacks");
    if (sampler_.batch() < settings_.train.batch && ranks_.first())
      warn(sampler_.step_size() == slices_.count()
               ? fmt::format("{} slices are fewer than train.batch = {}: every step takes them all", slices_.count(),
                             settings_.train.batch)
               : fmt::format("{} slices are too few for {} batches of {}: each process takes {}", slices_.count(),
                             ranks_.count(), settings_.train.batch, sampler_.batch()));
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
    TrainerState state;
    if (latest_ && ranks_.first()) {
      state = restore(*latest_, checkpoint_path(folder_, latest_->step).string(), gan_);
      calibration_ = latest_->calibration;
      score_ = latest_->score;
      latest_->weights.clear();
      latest_->adam.clear();
    } else {
      const auto seed = static_cast<std::uint64_t>(settings_.train.seed);
      for (Parameters* p : {&gan_.generator, &gan_.disc_global, &gan_.disc_patch}) p->initialise(seed);
    }
    ranks_.hand_out(gan_, state);
    if (latest_) trainer_.set_state(state);
  }

  void say(const std::string& text) const {
    if (!request_.quiet) fmt::print(stderr, "ipamedgan: {}\n", text);
  }

  void announce() const {
    if (request_.quiet) return;
    fmt::print(stderr, "{}\n", to_toml(settings_));
    std::size_t bytes = 0;
    for (const Buffer::Holding& held : Buffer::holdings()) bytes += held.bytes;
    say(fmt::format("{} {} slices in batches of {}{}, {} steps an epoch; {:.1f} million parameters; {:.0f} MiB",
                    trainer_.state().step > 0 ? fmt::format("goes on from step {}:", trainer_.state().step) : "begins:",
                    slices_.count(), sampler_.batch(),
                    ranks_.count() > 1
                        ? fmt::format(" on each of {} processes{}", ranks_.count(), ranks_.by_mpi() ? " by MPI" : "")
                        : "",
                    sampler_.steps_per_epoch(),
                    static_cast<double>(gan_.generator.trainable_count() + gan_.disc_global.trainable_count() +
                                        gan_.disc_patch.trainable_count()) /
                        1e6,
                    static_cast<double>(bytes) / (1 << 20)));
  }

  // What is not written cannot be timed: a step of the plan has no row of metrics.csv, and checkpoints cost nothing.
  void measure(TrainPlan& p) {
    const int warm_up = request_.device.is_cpu() ? 1 : 2;  // on CUDA the first run is not recorded yet
    Clock::time_point start;
    for (bool enough = false; !enough; ++p.timed_steps) {
      if (p.timed_steps == warm_up) start = Clock::now();
      const std::int64_t step = p.begins_at + p.timed_steps;
      trainer_.step(static_cast<double>(step) / static_cast<double>(total_), sampler_.slices_of(step));
      const int timed = p.timed_steps + 1 - warm_up;
      const double spent = timed > 0 ? milliseconds(Clock::now() - start) / 1000 : 0;
      enough = ranks_.any(timed > 0 && (timed == 3 || spent > 20));  // all stop after the same one
      if (timed > 0) p.seconds_per_step = spent / timed;
    }
    p.timed_steps -= warm_up;
    ranks_.rest();
    if (trial_) {
      const Clock::time_point before = Clock::now();
      trial_->run();
      p.seconds_per_validation = milliseconds(Clock::now() - before) / 1000 * static_cast<double>(p.validated) /
                                 static_cast<double>(trial_->count());
    }
    ranks_.wait();
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
  void read(Progress& progress, bool all) {
    while (const std::optional<StepMetrics> m = trainer_.read(all || trainer_.full())) take_down(*m, progress);
  }

  void take_down(const StepMetrics& m, Progress& progress) {
    last_read_ = {m, std::move(under_way_.front())};
    under_way_.pop_front();
    const Clock::time_point now = Clock::now();
    const double step_ms = std::max(milliseconds(now - read_at_), 1e-3);
    read_at_ = now;
    ranks_.took(step_ms / 1000);
    if (log_) log_->step(m.step, m, {step_ms, last_read_.batch.wait_ms}, sampler_.step_size());
    not_finite_ = m.finite ? 0 : not_finite_ + 1;
    diverged_ |= not_finite_ == most_not_finite;
    if (!m.finite)
      progress.note(fmt::format("ipamedgan: warning: step {} is not finite, its update was skipped", m.step));
    if (m.finite || not_finite_ < most_not_finite)
      progress.update(m.step,
                      fmt::format("total {:.4g}, l1 {:.4g}, D {:.3g}/{:.3g}", m.total, m.l1, m.d_global, m.d_patch));
  }

  // A step that is not finite changed nothing; a few in a row will not mend themselves. The report is of the last of
  // the steps that were under way.
  [[noreturn]] void diverged() {
    const fs::path report = folder_ / "post_mortem.json";
    if (ranks_.first()) write_post_mortem(report, trainer_, gan_, last_read_.metrics, last_read_.batch.slices);
    ranks_.wait();
    fail(ErrorKind::numerical, fmt::format("{} steps in a row were not finite", most_not_finite), report.string(),
         "lower train.lr or the loss weights; the last checkpoint is sound");
  }

  // What the first rank does between two steps.
  void keep(std::int64_t step, bool validates, bool saves, Progress& progress) {
    const Image8 pictures = saves ? pictures_of(trainer_) : Image8{};  // before validation takes the arena
    if (validates) validate(progress);
    if (!saves) return;
    log_->pictures(step, pictures);
    log_->sync();
    save(checkpoint_path(folder_, step));
    prune_checkpoints(folder_, step, static_cast<int>(settings_.checkpoint.keep));
  }

  void validate(Progress& progress) {
    const ValidationResult r = validation_->run();
    const std::int64_t step = trainer_.state().step;
    log_->validation(step, r, static_cast<int>(slices_.size()));
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
    c.sample = c.step % sampler_.steps_per_epoch() * sampler_.step_size();
    c.ranks = ranks_.count();
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
  Ranks& ranks_;
  StopSignal stop_;  // from here on; one that comes before the first step is heeded after it
  fs::path folder_;
  std::optional<RunLock> lock_;  // on the first rank, as is all that has to do with files
  std::optional<Checkpoint> latest_;
  Settings settings_;
  SliceSet slices_;
  Sampler sampler_;
  ResidentData data_;
  MemoryNeed needed_;  // of a dry run
  Gan gan_;
  Trainer trainer_;
  std::optional<SliceSet> held_out_;
  std::unique_ptr<Validation> validation_, trial_;  // trial_: of one batch, to be timed
  std::optional<double> best_, score_;
  std::map<std::string, double> calibration_;
  std::int64_t total_ = 0;
  std::optional<RunLog> log_;
  std::deque<Batch> under_way_;
  struct {
    StepMetrics metrics;
    Batch batch;
  } last_read_;
  Clock::time_point read_at_;  // of the last step read, or of the end of what stood between two steps
  static constexpr int most_not_finite = 5;
  int not_finite_ = 0;
  bool diverged_ = false;
  TrainOutcome outcome_;
};

// Meets the other processes, looks at what costs little to look at, and calls f(run).
template <class F>
auto with_run(const TrainRequest& request, F f) {
  Ranks ranks(request.place, fingerprint_of(request), request.device);
  // Before a run folder is made for nothing.
  for (const fs::path& stack : request.train) StackReader{stack};
  if (request.val && ranks.first()) StackReader{*request.val};
  TrainRun run(request, ranks);
  return f(run);
}

}  // namespace

TrainOutcome train(const TrainRequest& request) {
  return with_run(request, [](TrainRun& run) { return run.run(); });
}

TrainPlan plan_training(const TrainRequest& request) {
  require(request.dry_run, "a plan is made by a dry run");
  return with_run(request, [](TrainRun& run) { return run.plan(); });
}

}  // namespace ipa
