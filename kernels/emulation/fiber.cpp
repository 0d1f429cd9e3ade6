#include "kernels/emulation/fiber.h"

#include <array>
#include <cstdint>
#include <cstring>

namespace ipa::emulation {
namespace {

// Device code needs little, the unwinder of a reported error some KiB. The odd part keeps the hot ends of many stacks
// from competing for the same cache sets.
constexpr std::size_t stack_bytes = 32 * 1024 + 320;

// Below the stack, so that an overflow is found by the guard before it has hurt a neighbour. Never touched otherwise.
constexpr std::size_t slack_bytes = 16 * 1024;

constexpr std::array<std::uint64_t, 8> guard = [] {
  std::array<std::uint64_t, 8> words{};
  words.fill(0x5afe57ac5afe57acu);
  return words;
}();

}  // namespace

bool Fiber::overflowed() const { return std::memcmp(stack_.get() + slack_bytes, guard.data(), sizeof guard) != 0; }

#if defined(__x86_64__) && !defined(IPA_EMULATION_UCONTEXT)

// System V ABI: rbx, rbp and r12 to r15 belong to the caller; all other registers are dead across a call.
extern "C" void ipa_emulation_switch(void** from, void* to);
asm(R"(
  .text
  .globl ipa_emulation_switch
  .type ipa_emulation_switch, @function
ipa_emulation_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size ipa_emulation_switch, . - ipa_emulation_switch
)");

void switch_context(Context& from, Context& to) { ipa_emulation_switch(&from.stack_pointer, to.stack_pointer); }

Fiber::Fiber(void (*entry)()) : stack_(std::make_unique_for_overwrite<std::byte[]>(slack_bytes + stack_bytes)) {
  std::memcpy(stack_.get() + slack_bytes, guard.data(), sizeof guard);
  const auto end = reinterpret_cast<std::uintptr_t>(stack_.get() + slack_bytes + stack_bytes) & ~std::uintptr_t{15};
  // Six registers, the address the switch returns to, and a null return address for `entry`, whose stack is then
  // aligned as after a call and which ends every backtrace.
  const std::array<void (*)(), 8> frame{nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, entry, nullptr};
  context.stack_pointer = reinterpret_cast<void*>(end - sizeof frame);
  std::memcpy(context.stack_pointer, frame.data(), sizeof frame);
}

#else

void switch_context(Context& from, Context& to) { swapcontext(&from.registers, &to.registers); }

Fiber::Fiber(void (*entry)()) : stack_(std::make_unique_for_overwrite<std::byte[]>(slack_bytes + stack_bytes)) {
  std::memcpy(stack_.get() + slack_bytes, guard.data(), sizeof guard);
  getcontext(&context.registers);
  context.registers.uc_stack.ss_sp = stack_.get() + slack_bytes + sizeof guard;
  context.registers.uc_stack.ss_size = stack_bytes - sizeof guard;
  context.registers.uc_link = nullptr;
  makecontext(&context.registers, entry, 0);
}

#endif

}  // namespace ipa::emulation
