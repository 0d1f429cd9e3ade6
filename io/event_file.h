// TensorBoard event files: records of (u64 length, masked CRC-32C, protobuf Event, masked CRC-32C), as TensorFlow's
// record_writer.cc and event.proto define them; only the few messages needed here, encoded by hand.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "io/descriptor.h"
#include "io/png.h"

namespace ipa {

class EventFile {
 public:
  // Starts events.out.tfevents.<time>.<host>.<pid>.<n> in `folder`: a new file per start. `first_step` is the first
  // that this process does: TensorBoard then hides what an earlier one wrote for it and later steps.
  EventFile(const std::filesystem::path& folder, int64_t first_step);

  void scalars(int64_t step, std::span<const std::pair<std::string, double>> values);  // tag, value
  void image(int64_t step, std::string_view tag, const Image8& image);
  void sync() { file_.sync(); }  // what was written reaches other readers at once; this makes it durable
  const std::filesystem::path& path() const { return file_.path(); }

 private:
  void record(std::string_view event);

  Descriptor file_;
};

uint32_t crc32c(std::string_view bytes);  // Castagnoli, as in RFC 3720 appendix B.4

}  // namespace ipa
