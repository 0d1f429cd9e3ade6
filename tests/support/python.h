// Runs a Python script in `folder`; the script makes odd files or checks ours with libraries that are not ours.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

// True where the script ends with exit code 0 (a failed assert in it prints its traceback).
inline bool python(const std::filesystem::path& folder, const std::string& script) {
  const std::filesystem::path file = folder / "script.py";
  std::ofstream(file) << script;
  const std::string command = "cd '" + folder.string() + "' && '" IPA_PYTHON "' script.py";
  return std::system(command.c_str()) == 0;
}
