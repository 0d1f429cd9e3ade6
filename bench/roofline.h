// A roofline picture (Williams, Waterman, Patterson, "Roofline", CACM 52(4), 2009): the rate that a kind of op can
// attain over its arithmetic intensity, FLOPs for each byte that must move, both axes logarithmic.
#pragma once

#include <string>

#include "bench/step_table.h"

namespace ipa::bench {

// The kinds of op with the most time (floor where nothing was measured), up to 24, numbered as in the list beside the
// picture: a tick on the roof for what is predicted, a dot below for what was measured. Kinds without arithmetic are in
// the list alone. One SVG file that needs nothing else.
std::string roofline_svg(const std::string& title, const StepTable& table, const Roof& roof);

}  // namespace ipa::bench
