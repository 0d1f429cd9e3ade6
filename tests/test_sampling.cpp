// Which slices a step takes, over several ranks.
#include <catch2/catch.hpp>

#include "apps/sampling.h"
#include "engine/error.h"

using namespace ipa;

TEST_CASE("the ranks' parts of a step, one behind another, are what one rank with all of it takes", "[train]") {
  TrainOptions part, whole;
  part.batch = 2, whole.batch = 6;
  part.seed = whole.seed = 4;
  Sampler one(20, whole);
  std::vector<Sampler> three;
  for (int r = 0; r < 3; ++r) three.emplace_back(20, part, r, 3);
  CHECK(three[0].steps_per_epoch() == 3);
  for (std::int64_t step = 0; step < 7; ++step) {
    std::vector<std::int64_t> joined;
    for (Sampler& s : three) {
      CHECK(s.first_sample() == static_cast<std::int64_t>(joined.size()));
      for (const std::int64_t slice : s.slices_of(step)) joined.push_back(slice);
    }
    CHECK(joined == one.slices_of(step));
  }
}

TEST_CASE("batches shrink to what there is, one slice a rank at least", "[train]") {
  TrainOptions options;
  options.batch = 8;
  Sampler last(11, options, 2, 3);
  CHECK(last.batch() == 3);
  CHECK(last.step_size() == 9);
  CHECK(last.slices_of(0).size() == 3);
  CHECK_THROWS_AS(Sampler(2, options, 0, 3), Error);
}

TEST_CASE("a rank draws its samples' masks as the step numbers them", "[train]") {
  TrainOptions options;
  options.batch = 4;
  CHECK(pair_attributes({}, options, true, Sampler(100, options, 3, 5).first_sample()).first_sample == 12);
  CHECK(pair_attributes({}, options, true).first_sample == 0);
}
