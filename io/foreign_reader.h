// Who answers questions about a foreign HDF5 file (io/foreign_file.h asks them): a child process, since the HDF5
// library crashes or hangs on some damaged files, or, where none can be started, this one.
//
// The child is this program, started anew; it holds one file open and reads. It may take so much memory and, per
// question, so much processor time; it opens nothing but that file, writes nothing and leaves no core. What it says is
// checked like a file.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ipa {

struct ForeignLimits {
  uint64_t memory = uint64_t{4} << 30;  // bytes beside the program itself; a small file gets less, one chunk half
  std::chrono::seconds processor{6};    // per question, and 1 s more for each 16 MiB asked for
  std::chrono::seconds silence{300};    // without an answer, as when a file system is stuck
};

enum class Question : uint64_t {
  open,
  exists,
  is_group,
  members,
  attributes,
  has_attribute,
  attribute,
  dataset,
  rows,
  strings
};

class ForeignReader {
 public:
  virtual ~ForeignReader() = default;

  // The answer to a request (a Packet that begins with a Question). An answer of Question::rows is written to `rows`,
  // which it must fill. Throws ipa::Error: the reader's own, or ErrorKind::input where it died, hung or talked
  // nonsense, upon which it answers no more.
  virtual std::string ask(const std::string& request, std::span<char> rows) = 0;
  // Between questions: reads what will be asked for next where slices are asked for one behind another.
  virtual void read_ahead() {}
  virtual int process() const { return 0; }  // of the child
};

// A child where serve_foreign_files() was called, else this process. `path` is for messages.
std::unique_ptr<ForeignReader> start_foreign_reader(const std::filesystem::path& path, const ForeignLimits& limits);
std::unique_ptr<ForeignReader> foreign_reader_here(const ForeignLimits& limits);

// First of all in main(): in a child it answers until it is left alone and returns the exit code; elsewhere it returns
// nothing, and foreign files are read in children from then on.
std::optional<int> serve_foreign_files(int argc, char** argv);

}  // namespace ipa
