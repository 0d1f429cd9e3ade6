// What a CUDA stream is under emulation: work runs at once, unless it is being recorded. A recording keeps copies of
// all arguments, as a CUDA graph does, so that code which passes it the address of something short-lived fails here
// too.
#pragma once

#include <functional>
#include <vector>

#include "engine/stream.h"

namespace ipa::emulation {

struct Queue {
  bool recording = false;
  std::vector<std::function<void()>> recorded;

  template <class Work>
  void enqueue(Work work) {
    if (recording)
      recorded.emplace_back(std::move(work));
    else
      work();
  }
};

template <class Work>
void enqueue(Stream& stream, Work work) {
  Queue now;  // what has no queue of its own runs at once
  auto* queue = static_cast<Queue*>(stream.native());
  (queue ? *queue : now).enqueue(std::move(work));
}

}  // namespace ipa::emulation
