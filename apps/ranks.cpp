#include "apps/ranks.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "engine/error.h"
#include "engine/make_comm.h"
#include "engine/sockets.h"

namespace ipa {
namespace {

// A device may hang where a host does not; below NcclOptions::step, which does not know who hangs.
constexpr Milliseconds stall_on_device{90'000};

// On a CPU a step may take anything from milliseconds to hours, so that nobody is suspected before the first one is
// done. Then a rank that does not go on is lost after so many of the longest steps, and not before so many seconds.
constexpr double stall_steps = 20, stall_seconds = 600;

double least_stall() {
  const char* text = std::getenv("IPAMEDGAN_STALL_SECONDS");
  if (!text || !*text) return stall_seconds;
  double seconds = 0;
  const char* end = text + std::strlen(text);
  if (const auto [rest, error] = std::from_chars(text, end, seconds);
      error != std::errc() || rest != end || !(seconds >= 1 && seconds <= 1e6))
    fail(ErrorKind::usage, fmt::format("IPAMEDGAN_STALL_SECONDS={} is not a number from 1 to 1000000", text),
         "environment", "unset it for the default of 600");
  return seconds;
}

std::uint64_t bits(std::int64_t n) { return static_cast<std::uint64_t>(n); }
std::int64_t integer(Reader& r) { return static_cast<std::int64_t>(r.number()); }

}  // namespace

Ranks::Ranks(const std::optional<LaunchPlace>& place, const std::string& fingerprint, Device device)
    : on_cpu_(device.is_cpu()), least_stall_(least_stall()) {
  if (!place || place->size == 1) return;
  RendezvousOptions options;
  if (!device.is_cpu()) options.stall = stall_on_device;
  if (place->launcher == open_mpi && device.is_cpu() && !std::getenv("MASTER_ADDR"))
    if (const MpiPlugin plugin = load_mpi_plugin(IPA_VERSION); plugin.begin) mpi_ = plugin.begin();
  group_ = std::make_unique<RankGroup>(mpi_ ? mpi_->place() : *place, fingerprint, options);
  comm_ = mpi_ ? mpi_->comm(*group_) : make_comm(*group_, device);
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

void Ranks::took(double seconds) {
  if (!group_ || !on_cpu_ || seconds <= longest_step_) return;
  longest_step_ = seconds;
  const double stall = std::max(least_stall_, stall_steps * seconds);
  group_->set_stall(Milliseconds(static_cast<std::int64_t>(stall * 1000)));
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
