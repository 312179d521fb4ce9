// The memory in which one source is parsed, and the two bounds on that work.
//
// tree-sitter cannot fail an allocation and looks at its own clock rarely: 40 KB of Java that
// consists of "a<" takes it 40 s and 7 GB. Here every allocation of a parse comes from one mapping,
// and the one that goes over the limit or the deadline ends the parse where it stands; letting go
// of the mapping is then all the cleaning up there is.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/result.h"

namespace belljar::screen {

class Arena {
 public:
  using Clock = std::chrono::steady_clock;

  struct Mapping {
    std::byte* base = nullptr;
    std::size_t size = 0;
  };

  static Result<Arena> make(std::size_t limit);
  Arena(Arena&& other) noexcept;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  Arena& operator=(Arena&&) = delete;
  ~Arena();

  enum class End : std::uint8_t { kDone, kOutOfMemory, kOutOfTime };
  // Runs `body` with tree-sitter's allocations on this thread coming from here. `body` may be left
  // in its middle: it owns nothing that has a destructor.
  End run(void (*body)(void* context), void* context, Clock::time_point deadline);

  void* allocate(std::size_t size);
  void* reallocate(void* pointer, std::size_t size);
  void release(void* pointer);

 private:
  explicit Arena(Mapping mapping) : mapping_(mapping) {}
  [[noreturn]] void leave(End why);

  // A block that was given back, in a list of its size.
  struct FreeBlock {
    FreeBlock* next;
  };
  static constexpr std::size_t kClasses = 160;

  Mapping mapping_;
  std::size_t used_ = 0;
  std::uint32_t allocations_ = 0;
  FreeBlock* free_[kClasses] = {};
  Clock::time_point deadline_;
  void* way_out_ = nullptr;  // the jmp_buf of run()
  End why_ = End::kDone;
};

}  // namespace belljar::screen
