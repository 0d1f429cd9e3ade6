#include "engine/recording.h"

#include "engine/cuda/runtime.h"
#include "engine/on_device.h"

namespace ipa {

Recording::Recording(Stream& stream, std::function<void(Stream&)> work) {
  on_device(
      stream, [&] { work_ = std::move(work); },
      [&] {
        cuda::begin_recording(stream.native());
        try {
          work(stream);
        } catch (...) {
          try {
            cuda::end_recording(stream.native());  // the stream must be left usable
          } catch (const Error&) {                 // the first error tells more
          }
          throw;
        }
        captured_ = cuda::end_recording(stream.native());
      });
}

void Recording::replay(Stream& stream) {
  on_device(
      stream, [&] { work_(stream); }, [&] { cuda::replay(captured_.get(), stream.native()); });
}

}  // namespace ipa
