#include "io/checkpoint.h"

#include <fmt/core.h>
#include <unistd.h>

#include <chrono>
#include <ctime>

#include "engine/error.h"
#include "io/atomic_file.h"
#include "io/foreign_file.h"
#include "io/hdf5.h"
#include "io/seal.h"

namespace ipa {
namespace {

constexpr int64_t kFormat = 1;
const hdf5::Storage kStorage{.deflate = 0};  // weights hardly shrink

hdf5::Shape file_shape(const std::vector<int64_t>& shape) { return {shape.begin(), shape.end()}; }

int64_t integer(const hdf5::File& file, const std::string& object, const std::string& name) {
  const std::vector<double> values = file.numbers(object, name);
  if (values.size() != 1 || !(values[0] >= 0 && values[0] <= 0x1p53) ||
      values[0] != static_cast<double>(static_cast<int64_t>(values[0])))
    fail(ErrorKind::input, fmt::format("attribute '{}' is not a count", name), file.path().string());
  return static_cast<int64_t>(values[0]);
}

double number(const hdf5::File& file, const std::string& object, const std::string& name) {
  const std::vector<double> values = file.numbers(object, name);
  if (values.size() != 1)
    fail(ErrorKind::input, fmt::format("attribute '{}' is not one number", name), file.path().string());
  return values[0];
}

void write_content(hdf5::File& file, const Checkpoint& c) {
  file.set_number<int64_t>("/", "format", kFormat);
  file.set_number("/", "step", c.step);
  file.set_number("/", "epoch", c.epoch);
  file.set_number("/", "sample", c.sample);
  file.set_number("/", "ranks", c.ranks);
  file.set_text("/", "settings", c.settings);
  file.set_text("/", "fingerprint", c.fingerprint);
  file.set_text("/", "version", c.version);
  file.set_text("/", "created", c.created);
  if (c.score) file.set_number("/", "score", *c.score);

  file.create_group("/calibration");
  for (const auto& [name, value] : c.calibration) file.set_number("/calibration", name, value);

  std::vector<std::string> names;
  file.create_group("/weights");
  for (const NamedArray& w : c.weights) {
    file.write<float>("/weights/" + w.name, w.values, file_shape(w.shape), kStorage);
    names.push_back(w.name);
  }
  if (!names.empty()) file.write_strings("/weight_names", names);  // a group does not keep the order

  names.clear();
  file.create_group("/adam");
  for (const AdamState& a : c.adam) {
    require(a.m.size() == a.v.size() && !a.m.empty(), "checkpoint: Adam's moments have one length");
    const std::string group = "/adam/" + a.network;
    file.create_group(group);
    file.set_number(group, "steps", a.steps);
    file.write<float>(group + "/m", a.m, {a.m.size()}, kStorage);
    file.write<float>(group + "/v", a.v, {a.v.size()}, kStorage);
    names.push_back(a.network);
  }
  if (!names.empty()) file.write_strings("/adam_networks", names);
}

std::vector<std::string> names_in(const hdf5::File& file, const std::string& list) {
  return file.exists(list) ? file.read_strings(list) : std::vector<std::string>{};
}

}  // namespace

void write_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint) {
  AtomicFile atomic(path, true);
  hdf5::File file = hdf5::File::create(atomic.temporary());
  write_content(file, checkpoint);
  file.close();
  seal_file(atomic.temporary());
  atomic.commit();
}

Checkpoint read_checkpoint(const std::filesystem::path& path, bool with_adam) {
  check_seal(path);
  const hdf5::File file = hdf5::File::open(path);
  const int64_t format = integer(file, "/", "format");
  if (format != kFormat)
    fail(ErrorKind::input, fmt::format("a checkpoint of format {}; this program reads format {}", format, kFormat),
         path.string(), "use the version of ipamedgan that wrote it: " + file.text("/", "version"));
  Checkpoint c;
  c.step = integer(file, "/", "step");
  c.epoch = integer(file, "/", "epoch");
  c.sample = integer(file, "/", "sample");
  if (file.has_attribute("/", "ranks")) c.ranks = integer(file, "/", "ranks");
  c.settings = file.text("/", "settings");
  c.fingerprint = file.text("/", "fingerprint");
  c.version = file.text("/", "version");
  c.created = file.text("/", "created");
  if (file.has_attribute("/", "score")) c.score = number(file, "/", "score");
  for (const std::string& name : file.attributes("/calibration"))
    c.calibration[name] = number(file, "/calibration", name);
  for (const std::string& name : names_in(file, "/weight_names")) {
    const hdf5::Dataset dataset = file.dataset("/weights/" + name);
    c.weights.push_back({name, {dataset.shape().begin(), dataset.shape().end()}, dataset.read<float>()});
  }
  if (!with_adam) return c;
  for (const std::string& network : names_in(file, "/adam_networks")) {
    const std::string group = "/adam/" + network;
    c.adam.push_back(
        {network, integer(file, group, "steps"), file.read<float>(group + "/m"), file.read<float>(group + "/v")});
    if (c.adam.back().m.size() != c.adam.back().v.size())
      fail(ErrorKind::input, fmt::format("Adam's moments of '{}' differ in length", network), path.string());
  }
  return c;
}

bool is_checkpoint(const std::filesystem::path& path) {
  return has_seal(path) || ForeignFile::open(path).exists("weights");
}

std::string creation_info() {
  char host[256] = "unknown";
  ::gethostname(host, sizeof host - 1);
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char time[32];
  std::strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return fmt::format("{} on {}", time, host);
}

}  // namespace ipa
