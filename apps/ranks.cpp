#include "apps/ranks.h"

#include "engine/error.h"
#include "engine/make_comm.h"
#include "engine/sockets.h"

namespace ipa {
namespace {

// A device may hang where a host does not; below NcclOptions::step, which does not know who hangs.
constexpr Milliseconds stall_on_device{90'000};

std::uint64_t bits(std::int64_t n) { return static_cast<std::uint64_t>(n); }
std::int64_t integer(Reader& r) { return static_cast<std::int64_t>(r.number()); }

}  // namespace

Ranks::Ranks(const std::optional<LaunchPlace>& place, const std::string& fingerprint, Device device) {
  if (!place || place->size == 1) return;
  RendezvousOptions options;
  if (!device.is_cpu()) options.stall = stall_on_device;
  group_ = std::make_unique<RankGroup>(*place, fingerprint, options);
  comm_ = make_comm(*group_, device);
  rest();
}

void Ranks::require_equal(const std::string& mine, const std::string& wrong, const std::string& hint) {
  if (!group_) return;
  const std::vector<std::string> all = group_->exchange(mine);
  rest();
  for (int r = 1; r < count(); ++r)
    if (all[static_cast<std::size_t>(r)] != all[0]) fail(ErrorKind::usage, group_->name_of(r) + " " + wrong, {}, hint);
}

unsigned Ranks::any(unsigned flags) { return comm_ ? comm_->any(flags) : flags; }

void Ranks::rest() {
  if (comm_) comm_->rest();
}

void Ranks::wait() {
  if (!comm_) return;
  comm_->barrier();
  comm_->rest();
}

std::string Ranks::from_first(const std::string& text) {
  const std::string theirs = group_->exchange(first() ? text : "").front();
  rest();
  return theirs;
}

void Ranks::hand_out(std::optional<Checkpoint>& found) {
  if (!group_) return;
  Writer w;
  if (found) w.number(bits(found->step)).number(bits(found->ranks)).text(found->settings).text(found->fingerprint);
  const std::string text = from_first(w.take());
  if (first() || text.empty()) return;
  Reader r(text);
  Checkpoint& c = found.emplace();
  c.step = integer(r);
  c.ranks = integer(r);
  c.settings = r.text();
  c.fingerprint = r.text();
  require(r.ok, "ranks: what rank 0 says of its checkpoint is damaged");
}

void Ranks::hand_out(Gan& gan, TrainerState& state) {
  if (!group_) return;
  for (const Parameters* p : {&gan.generator, &gan.disc_global, &gan.disc_patch}) {
    for (const Tensor& t : {p->flat_values(), p->flat_m(), p->flat_v(), p->flat_statistics()}) comm_->broadcast(t, 0);
    if (compute_type_on(p->device()) == DType::bf16) comm_->broadcast(p->flat_copy(), 0);
  }
  Writer w;
  for (const std::int64_t n : {state.step, state.adam_generator, state.adam_global, state.adam_patch})
    w.number(bits(n));
  const std::string text = from_first(w.take());
  Reader r(text);
  for (std::int64_t* n : {&state.step, &state.adam_generator, &state.adam_global, &state.adam_patch}) *n = integer(r);
  require(r.ok, "ranks: rank 0's state is damaged");
}

}  // namespace ipa
