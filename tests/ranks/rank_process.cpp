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

using namespace ipa;

namespace {

void say(const std::string& text) {
  std::puts(text.c_str());
  std::fflush(stdout);
}

std::vector<float> numbers(int rank, std::int64_t count) {
  RandomSequence random(9, RandomUse::mask_draw, static_cast<std::uint32_t>(rank), static_cast<std::uint32_t>(count));
  std::vector<float> v(static_cast<std::size_t>(count));
  for (float& x : v) x = random.normal();
  return v;
}

// Sums of several sizes at once, against the sum in the order of the ranks; broadcast and any.
bool sums(Comm& comm) {
  const std::vector<std::int64_t> sizes{1, 2, 3, 1000, 300'007};
  std::vector<std::vector<float>> mine, expected;
  for (const std::int64_t n : sizes) {
    mine.push_back(numbers(comm.rank(), n));
    expected.push_back(numbers(0, n));
    for (int r = 1; r < comm.size(); ++r) {
      const std::vector<float> more = numbers(r, n);
      for (std::size_t i = 0; i < more.size(); ++i) expected.back()[i] += more[i];
    }
  }
  Stream stream;
  for (std::vector<float>& v : mine)
    comm.start_all_reduce(stream, Tensor(v.data(), {vector_shape(static_cast<std::int64_t>(v.size()))}));
  comm.finish(stream);
  const bool right = mine == expected;  // before anything else waits
  std::vector<float> root = numbers(comm.rank(), 5000);
  comm.broadcast(Tensor(root.data(), {vector_shape(5000)}), comm.size() - 1);
  const unsigned flags = comm.any(1u << comm.rank());
  comm.barrier();
  return right && root == numbers(comm.size() - 1, 5000) && flags == (1u << comm.size()) - 1;
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
  if (mode == "sums") require(sums(*comm), "wrong sums");
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
