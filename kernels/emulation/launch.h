// Runs a kernel on the emulator, or records it. Memory of the device is memory of the host.
#pragma once

#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include "engine/emulation/queue.h"
#include "engine/stream.h"
#include "kernels/emulation/dim3.h"

namespace ipa {
namespace emulation {

struct Launch {
  dim3 grid, block;
  std::size_t shared_bytes;
  void (*call)(const void* arguments);  // runs the kernel for the current thread
  const void* arguments;
};

void run(const Launch& launch);

}  // namespace emulation

// Throws Error (internal) for what a GPU would refuse (more than 1024 threads, more than 227 KiB of shared memory) and
// for what it would do wrong or hang at: divergent barriers and collectives, deadlocks, accesses past the shared
// memory, misaligned vectors.
template <class... P, class... A>
void launch(Stream& stream, dim3 grid, dim3 block, std::size_t shared_bytes, void (*kernel)(P...), A&&... args) {
  static_assert((!std::is_reference_v<P> && ...), "a kernel takes its parameters by value");
  using Packed = std::pair<void (*)(P...), std::tuple<P...>>;
  const auto call = [](const void* arguments) {
    const auto& [function, parameters] = *static_cast<const Packed*>(arguments);
    std::apply(function, parameters);
  };
  emulation::enqueue(stream, [=, packed = Packed(kernel, std::tuple<P...>(std::forward<A>(args)...))] {
    emulation::run({grid, block, shared_bytes, call, &packed});
  });
}

}  // namespace ipa
