// How the ranks come together (engine/rendezvous.h is what they do then).
#pragma once

#include "engine/rendezvous.h"

namespace ipa {

enum RankMessage : std::uint32_t { hello = 1, welcome, refused, sign_of_life, offer, gathered, failed, goodbye };

struct Meeting {
  std::vector<std::string> hosts, addresses;  // by rank
  std::uint64_t token = 0;
  std::vector<MessageLink> links;  // of rank 0: to rank 1, 2, ...; of the others: to rank 0
};

Meeting meet_as_server(const LaunchPlace& place, const std::string& fingerprint, Milliseconds arrival);
Meeting meet_as_client(const LaunchPlace& place, const std::string& fingerprint, Milliseconds arrival);

}  // namespace ipa
