// A fiber: a call stack that is left and resumed by name, so that one OS thread can hold many CUDA threads in
// mid-kernel. On x86-64 a switch stores six registers; elsewhere <ucontext.h> does it.
#pragma once

#include <cstddef>
#include <memory>

#if !defined(__x86_64__) || defined(IPA_EMULATION_UCONTEXT)
#include <ucontext.h>
#endif

namespace ipa::emulation {

class Context {
 public:
#if defined(__x86_64__) && !defined(IPA_EMULATION_UCONTEXT)
  void* stack_pointer = nullptr;
#else
  ucontext_t registers{};
#endif
};

// Saves the caller's registers in `from` and goes on where `to` was left; returns when something switches to `from`.
void switch_context(Context& from, Context& to);

class Fiber {
 public:
  // A new fiber starts in `entry`, which must never return.
  explicit Fiber(void (*entry)());

  // Whether something was written just past the end of the stack. (A large local variable whose part there was never
  // written goes unseen.)
  bool overflowed() const;
  Context context;

 private:
  std::unique_ptr<std::byte[]> stack_;
};

}  // namespace ipa::emulation
