#include "engine/launch_place.h"

#include <fmt/core.h>

#include <charconv>
#include <cstdlib>

#include "engine/error.h"

namespace ipa {
namespace {

constexpr int most_ranks = 4096;

class Variables {
 public:
  explicit Variables(const Environment& environment) : environment_(environment) {}

  bool has(const std::string& name) const { return !text(name).empty(); }
  std::string text(const std::string& name) const {
    const char* value = environment_(name.c_str());
    return value ? value : "";
  }
  std::string needed(const std::string& name, const std::string& launcher) const {
    if (!has(name))
      fail(ErrorKind::usage, fmt::format("{} is not set, though other variables of {} are", name, launcher),
           "environment", fmt::format("set {}, or start without {}", name, launcher));
    return text(name);
  }
  int number(const std::string& name, const std::string& launcher, int low, int high) const {
    const std::string value = needed(name, launcher);
    int n = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), n);
    if (error != std::errc() || end != value.data() + value.size() || n < low || n > high)
      fail(ErrorKind::usage, fmt::format("{}={} is not a number from {} to {}", name, value, low, high), "environment",
           fmt::format("let {} set it, or unset its variables to train alone", launcher));
    return n;
  }

 private:
  const Environment& environment_;
};

struct Names {
  const char *launcher, *rank, *size, *local_rank;
};

LaunchPlace place_of(const Variables& v, const Names& names) {
  LaunchPlace p;
  p.launcher = names.launcher;
  p.size = v.number(names.size, p.launcher, 1, most_ranks);
  p.rank = v.number(names.rank, p.launcher, 0, most_ranks - 1);
  p.local_rank = v.number(names.local_rank, p.launcher, 0, most_ranks - 1);
  if (p.rank >= p.size)
    fail(ErrorKind::usage, fmt::format("{}={} is not below {}={}", names.rank, p.rank, names.size, p.size),
         "environment", "ranks count from 0");
  if (p.local_rank > p.rank)
    fail(ErrorKind::usage, fmt::format("{}={} is above {}={}", names.local_rank, p.local_rank, names.rank, p.rank),
         "environment", "a rank on its host cannot be above the rank");
  return p;
}

void meet_at_master(const Variables& v, LaunchPlace& p) {
  p.host = v.needed("MASTER_ADDR", p.launcher);
  p.port = v.number("MASTER_PORT", p.launcher, 1, 65535);
}

// Below the range that systems hand out to outgoing connections; FNV-1a, so that jobs on one host rarely meet.
int port_of(const std::string& job) {
  std::uint32_t h = 2166136261u;
  for (const char c : job) h = (h ^ static_cast<unsigned char>(c)) * 16777619u;
  return 15000 + static_cast<int>(h % 15000);
}

const Names torchrun{"torchrun", "RANK", "WORLD_SIZE", "LOCAL_RANK"};
const Names open_mpi_names{open_mpi, "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"};

LaunchPlace by_torchrun(const Variables& v) {
  LaunchPlace p = place_of(v, torchrun);
  meet_at_master(v, p);
  if (v.text("TORCHELASTIC_USE_AGENT_STORE") == "True")  // torchrun itself listens at MASTER_PORT
    p.port = port_of(v.text("MASTER_PORT") + "." + v.text("TORCHELASTIC_RUN_ID"));
  if (v.has(open_mpi_names.rank)) {  // mpirun with RANK handed on to all: one of the two is wrong
    const LaunchPlace other = place_of(v, open_mpi_names);
    if (other.rank != p.rank || other.size != p.size)
      fail(ErrorKind::usage,
           fmt::format("RANK={} of WORLD_SIZE={} contradicts OMPI_COMM_WORLD_RANK={} of OMPI_COMM_WORLD_SIZE={}",
                       p.rank, p.size, other.rank, other.size),
           "environment", "unset RANK and WORLD_SIZE to go by mpirun's");
  }
  return p;
}

LaunchPlace by_open_mpi(const Variables& v) {
  LaunchPlace p = place_of(v, open_mpi_names);
  if (v.has("MASTER_ADDR") || v.has("MASTER_PORT")) {
    meet_at_master(v, p);
  } else if (v.text("OMPI_COMM_WORLD_LOCAL_SIZE") == v.text(open_mpi_names.size)) {
    p.host = "127.0.0.1";
    p.port = port_of(v.text("PMIX_NAMESPACE") + v.text("OMPI_MCA_ess_base_jobid"));
  }
  return p;
}

LaunchPlace by_slurm(const Variables& v) {
  const bool of_step = v.has("SLURM_STEP_NUM_TASKS");
  LaunchPlace p =
      place_of(v, {"Slurm", "SLURM_PROCID", of_step ? "SLURM_STEP_NUM_TASKS" : "SLURM_NTASKS", "SLURM_LOCALID"});
  if (v.has("MASTER_ADDR") || v.has("MASTER_PORT")) {
    meet_at_master(v, p);
    return p;
  }
  p.host = first_host(v.has("SLURM_STEP_NODELIST") ? v.text("SLURM_STEP_NODELIST")
                                                   : v.needed("SLURM_JOB_NODELIST", p.launcher));
  p.port = port_of(v.needed("SLURM_JOB_ID", p.launcher) + "." + v.text("SLURM_STEP_ID"));
  return p;
}

}  // namespace

std::string first_host(const std::string& node_list) {
  std::string host;
  bool bracket = false, taken = false;  // inside [...]; past its first number
  for (const char c : node_list) {
    if (!bracket && c == ',') break;
    if (c == '[' && !bracket) {
      bracket = true, taken = false;
    } else if (c == ']' && bracket) {
      bracket = false;
    } else if (bracket && (c == ',' || c == '-')) {
      taken = true;
    } else if (!bracket ? std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.' || c == '_'
                        : std::isdigit(static_cast<unsigned char>(c))) {
      if (!bracket || !taken) host += c;
    } else {
      host.clear();
      break;
    }
  }
  if (host.empty() || bracket)
    fail(ErrorKind::usage, "not a list of hosts: " + node_list, "SLURM_STEP_NODELIST or SLURM_JOB_NODELIST",
         "set MASTER_ADDR and MASTER_PORT");
  return host;
}

std::optional<LaunchPlace> find_launch_place(const Environment& environment) {
  const Variables v(environment);
  if (v.has(torchrun.rank) || v.has(torchrun.size)) return by_torchrun(v);
  if (v.has(open_mpi_names.rank) || v.has(open_mpi_names.size)) return by_open_mpi(v);
  // A batch script's own process has SLURM_PROCID=0 too, but only srun starts a step of several.
  if (v.has("SLURM_STEP_ID") && v.has("SLURM_PROCID")) return by_slurm(v);
  return std::nullopt;
}

std::optional<LaunchPlace> find_launch_place() {
  return find_launch_place([](const char* name) -> const char* { return std::getenv(name); });
}

}  // namespace ipa
