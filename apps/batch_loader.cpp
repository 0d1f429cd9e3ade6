#include "apps/batch_loader.h"

namespace ipa {

BatchLoader::BatchLoader(const Sampler& sampler, std::int64_t pixels, std::int64_t first_step, std::size_t ahead)
    : sampler_(sampler), pixels_(static_cast<std::size_t>(pixels)) {
  const std::size_t count = static_cast<std::size_t>(sampler.batch()) * pixels_;
  for (std::size_t i = 0; i < ahead; ++i) {
    spare_.emplace_back();
    for (auto* v : {&spare_.back().target, &spare_.back().corrupted, &spare_.back().mask}) v->resize(count);
  }
  thread_ = std::thread([this, first_step] { work(first_step); });
}

BatchLoader::~BatchLoader() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void BatchLoader::work(std::int64_t step) {
  try {
    for (;; ++step) {
      Batch batch;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return stop_ || !spare_.empty(); });
        if (stop_) return;
        batch = std::move(spare_.front());
        spare_.pop_front();
      }
      batch.step = step;
      batch.slices = sampler_.slices_of(step);
      for (std::size_t i = 0; i < batch.slices.size(); ++i) {
        auto part = [&](std::vector<float>& v) { return std::span(v).subspan(i * pixels_, pixels_); };
        sampler_.make(batch.slices[i], step, static_cast<std::int64_t>(i),
                      {part(batch.target), part(batch.corrupted), part(batch.mask)});
      }
      const std::lock_guard lock(mutex_);
      ready_.push_back(std::move(batch));
      changed_.notify_all();
    }
  } catch (...) {
    const std::lock_guard lock(mutex_);
    failure_ = std::current_exception();
    changed_.notify_all();
  }
}

Batch BatchLoader::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return failure_ || !ready_.empty(); });
  if (ready_.empty()) std::rethrow_exception(failure_);
  Batch batch = std::move(ready_.front());
  ready_.pop_front();
  return batch;
}

void BatchLoader::recycle(Batch&& used) {
  const std::lock_guard lock(mutex_);
  spare_.push_back(std::move(used));
  changed_.notify_all();
}

}  // namespace ipa
