// Work that is enqueued again and again with the same arguments. On CUDA it is captured as a CUDA graph, whose replay
// costs one launch; on the CPU it is simply called.
#pragma once

#include <functional>

#include "engine/stream.h"

namespace ipa {

class Recording {
 public:
  // `work` must only enqueue on `stream`. It is not run here.
  Recording(Stream& stream, std::function<void(Stream&)> work);
  void replay(Stream& stream);

 private:
  std::function<void(Stream&)> work_;  // on the CPU
  std::shared_ptr<void> captured_;     // on CUDA
};

}  // namespace ipa
