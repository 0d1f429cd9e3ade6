// Gradients of a network's parameters, on one rank and on many.
#include <algorithm>

#include "nets/layers.h"

namespace ipa {

void Layers::store_gradient(const Parameters::Entry& e, Value gradient) {
  require(static_cast<bool>(gradient), "no gradient reaches " + e.name);
  if (!gradients_.contains(e.name)) gradients_[e.name] = graph_.state("d " + e.name, e.spec());
  graph_.store(gradient, gradients_[e.name]);
}

void Layers::differentiate(Value loss) {
  std::vector<const Parameters::Entry*> entries;
  for (const Parameters::Entry& e : parameters_.entries())
    if (e.trainable()) entries.push_back(&e);
  const std::vector<Value> gradients = grad(loss, trainable());
  for (std::size_t i = 0; i < entries.size(); ++i) store_gradient(*entries[i], gradients[i]);
}

// Backward passes complete the last declared parameters first, so buckets are cut from the end, of equal size but for
// the parameters' borders. The scalars behind the gradients belong to the first.
void Layers::make_buckets(std::size_t bucket_bytes) {
  if (!buckets_.empty()) return;
  std::vector<std::int64_t> offsets;
  for (const Parameters::Entry& e : parameters_.entries())
    if (e.trainable()) offsets.push_back(e.offset);
  const TensorSpec flat = parameters_.flat_spec();
  const auto count =
      static_cast<std::int64_t>(std::max<std::size_t>(1, (flat.bytes() + bucket_bytes / 2) / bucket_bytes));
  const std::int64_t wanted = (flat.shape.c + count - 1) / count;
  bucket_of_.resize(offsets.size());
  std::int64_t end = flat.shape.c;
  std::size_t members = 0;
  for (std::size_t i = offsets.size(); i-- > 0;) {
    bucket_of_[i] = buckets_.size();
    ++members;
    if (end - offsets[i] < wanted && i > 0) continue;
    const std::int64_t more = buckets_.empty() ? Parameters::report_room : 0;
    const TensorSpec spec{vector_shape(end - offsets[i] + more)};
    const std::string name = parameters_.network() + " gradients, bucket " + std::to_string(buckets_.size());
    buckets_.push_back({graph_.state(name, spec), offsets[i], spec.shape.c, members});
    end = offsets[i];
    members = 0;
  }
}

std::vector<Value> Layers::differentiate(Value loss, const std::vector<Value>& report, Comm& comm,
                                         std::size_t bucket_bytes) {
  require(static_cast<std::int64_t>(report.size()) <= Parameters::report_room, "too many scalars to report");
  make_buckets(bucket_bytes);
  const float share = 1 / static_cast<float>(comm.size());
  const Value scalars = scale(concat(report), constant(graph_, {scalar_shape}, 1), share);
  const Value reported = graph_.state(parameters_.network() + " report", scalars.spec());
  reports_.push_back(reported);
  graph_.store(scalars, reported);

  std::vector<const Parameters::Entry*> entries;
  for (const Parameters::Entry& e : parameters_.entries())
    if (e.trainable()) entries.push_back(&e);
  std::vector<std::size_t> missing;
  for (const Bucket& b : buckets_) missing.push_back(b.members);
  std::vector<std::size_t> sent_at(entries.size());  // number of nodes when the gradient set out
  const std::vector<Value> gradients =
      grad(loss, trainable(), {.seed = share, .on_ready = [&](std::size_t i, Value gradient) {
                                 store_gradient(*entries[i], gradient);
                                 const std::size_t b = bucket_of_[i];
                                 if (--missing[b]) return;
                                 start_all_reduce(buckets_[b].state, comm);
                                 for (std::size_t k = 0; k < entries.size(); ++k)
                                   if (bucket_of_[k] == b) sent_at[k] = graph_.nodes().size();
                               }});
  for (std::size_t i = 0; i < gradients.size(); ++i)
    for (std::size_t n = sent_at[i]; n < graph_.nodes().size(); ++n) {
      const std::vector<Value>& in = graph_.nodes()[n].inputs;
      require(std::find(in.begin(), in.end(), gradients[i]) == in.end(),
              "the gradient of " + entries[i]->name + " is read while it is being summed over the ranks");
    }
  finish_all_reduce(flat().gradients, comm);
  std::vector<Value> means;
  for (std::size_t i = 0; i < report.size(); ++i)
    means.push_back(slice_channels(reported, static_cast<std::int64_t>(i), 1));
  return means;
}

void Layers::start_statistics(Comm& comm) {
  if (!parameters_.statistics_spec().shape.c) return;
  if (!statistics_) statistics_ = graph_.state(parameters_.network() + " statistics", parameters_.statistics_spec());
  start_all_reduce(statistics_, comm);
}

void Layers::finish_statistics(Comm& comm) {
  if (!statistics_) return;
  finish_all_reduce(statistics_, comm);
  graph_.store(scale(statistics_, constant(graph_, {scalar_shape}, 1), 1 / static_cast<float>(comm.size())),
               statistics_);
}

}  // namespace ipa
