// What launchers and strangers on the network say: the variables of Slurm and others, and messages between ranks.
#include <sys/socket.h>

#include <map>

#include "engine/launch_place.h"
#include "engine/sockets.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

void read_variables(std::string_view text) {
  std::map<std::string, std::string> variables;
  while (!text.empty()) {
    const std::string line(text.substr(0, text.find('\n')));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const size_t equals = line.find('=');
    if (equals != line.npos) variables[line.substr(0, equals)] = line.c_str() + equals + 1;
  }
  const auto environment = [&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
  const auto place = ipa::find_launch_place(environment);
  if (place) fuzz::insist(place->rank >= 0 && place->rank < place->size && place->port >= 0 && place->port < 65536);
}

void read_messages(std::string_view bytes) {
  int ends[2];
  fuzz::insist(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
  const ipa::Socket sender(ends[0]);
  ipa::MessageLink link{ipa::Socket(ends[1])};
  if (::send(sender.fd(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) return;
  std::vector<ipa::Message> arrived;
  link.receive(arrived);
  for (const ipa::Message& message : arrived) {
    ipa::Reader reader(message.body);
    while (reader.ok) {
      reader.number();
      fuzz::insist(reader.text(255).size() <= 255);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
  fuzz::expect_error_at_most([&] {
    if (data[0] % 3 == 0) read_variables(text);
    if (data[0] % 3 == 1) ipa::first_host(text);
    if (data[0] % 3 == 2) read_messages(text);
  });
  return 0;
}
