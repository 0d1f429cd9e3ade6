// For tests that start themselves as a child: defined in a test, this is asked first; an exit code ends the program.
#pragma once

#include <optional>

std::optional<int> before_tests(int argc, char** argv);
