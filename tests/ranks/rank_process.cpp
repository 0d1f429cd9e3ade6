// One rank of a run, started by tests/test_ranks.cpp: rank_process MODE FINGERPRINT ARRIVAL_MS SILENCE_MS STALL_MS.
// Prints "connected" once all ranks are; exits as the program does.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include "engine/rng.h"
#include "engine/socket_comm.h"
#include "nets/trainer.h"
#include "tests/ranks/check_sums.h"

using namespace ipa;

namespace {

void say(const std::string& text) {
  std::puts(text.c_str());
  std::fflush(stdout);
}

// Two training steps on noise; a number that tells the bytes of all networks.
std::uint64_t train(Comm& comm) {
  StepOptions o;
  o.net = {.width = 4, .disc_width = 4};
  o.loss.style = 0;
  o.batch = 1;
  o.size = 96;
  o.bucket_bytes = 20'000;
  Gan gan;
  Trainer trainer(gan, o, &comm);
  for (Parameters* p : {&gan.generator, &gan.disc_global, &gan.disc_patch}) p->initialise(3);
  for (std::uint32_t step = 0; step < 2; ++step) {
    RandomSequence random(1, RandomUse::mask_draw, step, static_cast<std::uint32_t>(comm.rank()));
    for (const Tensor& t : {trainer.target(), trainer.corrupted()})
      for (std::int64_t i = 0; i < t.elements(); ++i) t.f32()[i] = random.uniform(-1, 1);
    trainer.step(0);
  }
  std::uint64_t hash = 14695981039346656037u;
  for (const Parameters* p : {&gan.generator, &gan.disc_global, &gan.disc_patch})
    for (const Tensor& t : {p->flat_values(), p->flat_m(), p->flat_v(), p->flat_statistics()})
      for (std::size_t i = 0; i < t.spec().bytes(); ++i)
        hash = (hash ^ static_cast<const unsigned char*>(t.data)[i]) * 1099511628211u;
  return hash;
}

void run(const std::string& mode, RankGroup& group) {
  const std::unique_ptr<Comm> comm = socket_comm(group);
  say("connected");
  if (mode == "sums") require(check_sums(*comm), "wrong sums");
  if (mode == "train") say("state " + std::to_string(train(*comm)));
  std::vector<float> values(1'000'000, 1);
  Stream stream;
  for (int step = 0; step < 100'000 && mode != "sums" && mode != "train"; ++step) {  // until a rank is lost
    if (step == 20 && group.rank() == 1) {
      if (mode == "throws") fail(ErrorKind::numerical, "diverged");
      if (mode == "leaves") return;
      if (mode == "stands still") std::this_thread::sleep_for(std::chrono::seconds(6));
    }
    comm->start_all_reduce(stream, Tensor(values.data(), {vector_shape(1'000'000)}));
    comm->finish(stream);
    if (step == 10) say("going");
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    require(argc == 6, "usage");
    const auto milliseconds = [&](int i) { return Milliseconds(std::atoi(argv[i])); };
    const std::optional<LaunchPlace> place = find_launch_place();
    require(place.has_value(), "no launcher");
    RankGroup group(*place, argv[2], {milliseconds(3), milliseconds(4), milliseconds(5)});
    run(argv[1], group);
  } catch (const Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return e.exit_code();
  }
}
