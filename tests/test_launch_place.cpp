// What launchers put into the environment, and what is made of it.
#include <map>

#include <catch2/catch.hpp>

#include "engine/launch_place.h"
#include "tests/support/error_kind.h"

using namespace ipa;

namespace {

using Variables = std::map<std::string, std::string>;

std::optional<LaunchPlace> place(const Variables& v) {
  return find_launch_place([&](const char* name) -> const char* {
    const auto found = v.find(name);
    return found == v.end() ? nullptr : found->second.c_str();
  });
}

std::string text(const Variables& v) {
  const std::optional<LaunchPlace> p = place(v);
  if (!p) return "none";
  return p->launcher + " " + std::to_string(p->rank) + "/" + std::to_string(p->size) + " local " +
         std::to_string(p->local_rank) + " at " + p->host + (p->port ? ":" + std::to_string(p->port) : "");
}

Variables with(Variables v, const Variables& more) {
  for (const auto& [name, value] : more) v[name] = value;
  return v;
}
Variables without(Variables v, const std::string& name) {
  v.erase(name);
  return v;
}

const Variables torchrun{
    {"RANK", "5"}, {"WORLD_SIZE", "8"}, {"LOCAL_RANK", "1"}, {"MASTER_ADDR", "n1"}, {"MASTER_PORT", "29500"}};
const Variables mpirun{{"OMPI_COMM_WORLD_RANK", "1"},
                       {"OMPI_COMM_WORLD_SIZE", "2"},
                       {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                       {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"},
                       {"PMIX_NAMESPACE", "3221618689"}};
const Variables srun{{"SLURM_PROCID", "3"},  {"SLURM_NTASKS", "4"},    {"SLURM_LOCALID", "1"},
                     {"SLURM_STEP_ID", "0"}, {"SLURM_JOB_ID", "4711"}, {"SLURM_JOB_NODELIST", "gpu[07-09,12]"}};
const Variables master{{"MASTER_ADDR", "10.0.0.1"}, {"MASTER_PORT", "4000"}};

}  // namespace

TEST_CASE("each launcher's variables give rank, size and meeting place") {
  CHECK(text({}) == "none");
  CHECK(text(torchrun) == "torchrun 5/8 local 1 at n1:29500");
  const auto elastic =
      place(with(torchrun, {{"TORCHELASTIC_USE_AGENT_STORE", "True"}, {"TORCHELASTIC_RUN_ID", "none"}}));
  CHECK(elastic->host == "n1");
  CHECK((elastic->port >= 15000 && elastic->port < 30000));  // that agent listens at MASTER_PORT itself
  CHECK(text(with(torchrun, {{"TORCHELASTIC_USE_AGENT_STORE", "False"}})) == text(torchrun));
  CHECK(text(with(mpirun, master)) == "Open MPI 1/2 local 1 at 10.0.0.1:4000");
  CHECK(text(with(srun, master)) == "Slurm 3/4 local 1 at 10.0.0.1:4000");
  CHECK(text(with(with(srun, master), {{"SLURM_STEP_NUM_TASKS", "6"}})) == "Slurm 3/6 local 1 at 10.0.0.1:4000");
  CHECK(text(with(torchrun, srun)) == text(torchrun));  // torchrun as a step of Slurm
  CHECK(text(with(with(mpirun, master), srun)) == text(with(mpirun, master)));
  CHECK(text(without(srun, "SLURM_STEP_ID")) == "none");  // a batch script's own process

  const std::optional<LaunchPlace> one_host = place(mpirun), slurm = place(srun);
  CHECK(one_host->host == "127.0.0.1");
  CHECK(slurm->host == "gpu07");
  for (const std::optional<LaunchPlace>& p : {one_host, slurm}) CHECK((p->port >= 15000 && p->port < 30000));
  CHECK(place(with(srun, {{"SLURM_PROCID", "0"}, {"SLURM_LOCALID", "0"}}))->port == slurm->port);
  CHECK(place(with(srun, {{"SLURM_JOB_ID", "4712"}}))->port != slurm->port);
  CHECK(place(with(srun, {{"SLURM_STEP_ID", "1"}}))->port != slurm->port);
  CHECK(place(with(srun, {{"SLURM_STEP_NODELIST", "gpu12"}}))->host == "gpu12");
  CHECK(
      place(with(mpirun, {{"OMPI_COMM_WORLD_LOCAL_SIZE", "1"}}))->host.empty());  // several hosts: asks for MASTER_ADDR
}

TEST_CASE("incomplete, malformed and contradictory sets are the user's error, by name") {
  auto refused = [](const Variables& v, const std::string& part) { CHECK(error_kind([&] { place(v); }, part) == 2); };
  for (const auto& [name, value] : torchrun) refused(without(torchrun, name), name + " is not set");
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"})
    refused(without(mpirun, name), name);
  for (const char* name : {"SLURM_NTASKS", "SLURM_LOCALID", "SLURM_JOB_ID", "SLURM_JOB_NODELIST"})
    refused(without(srun, name), name);
  refused(with(mpirun, {{"MASTER_ADDR", "n1"}}), "MASTER_PORT is not set");
  for (const char* bad : {"x", "-1", "3x", " 3", "99999999999", "8"})
    refused(with(torchrun, {{"RANK", bad}}), "RANK=" + std::string(bad));
  refused(with(torchrun, {{"WORLD_SIZE", "0"}}), "WORLD_SIZE=0");
  refused(with(torchrun, {{"LOCAL_RANK", "6"}}), "LOCAL_RANK=6 is above RANK=5");
  for (const char* bad : {"0", "65536", "http"}) refused(with(torchrun, {{"MASTER_PORT", bad}}), "MASTER_PORT=");
  refused(with(torchrun, mpirun), "RANK=5 of WORLD_SIZE=8 contradicts OMPI_COMM_WORLD_RANK=1");
  CHECK(text(with(with(torchrun, mpirun), {{"RANK", "1"}, {"WORLD_SIZE", "2"}})) == "torchrun 1/2 local 1 at n1:29500");
}

TEST_CASE("the first host of a Slurm list") {
  CHECK(first_host("node03") == "node03");
  CHECK(first_host("node[03-07,9]") == "node03");
  CHECK(first_host("node[9,03-07],login") == "node9");
  CHECK(first_host("a-1.example.org,b") == "a-1.example.org");
  CHECK(first_host("rack[1-2]n[01-04]") == "rack1n01");
  CHECK(first_host("n[1-2]-ib,m") == "n1-ib");
  for (const char* bad : {"", ",a", "node[", "node[1-", "node[a]", "a b", "a;rm", "node]", "n[[1]]"})
    CHECK(error_kind([&] { first_host(bad); }, "not a list of hosts") == 2);
}
