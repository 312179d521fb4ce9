#include "screen/arena.h"

#include <sys/mman.h>
#include <tree_sitter/api.h>

#include <bit>
#include <csetjmp>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>

#include "base/units.h"

namespace belljar::screen {
namespace {

// Stands before every block; keeps what follows aligned.
struct alignas(std::max_align_t) Header {
  std::size_t capacity;
  std::size_t size_class;
};

// Sizes go in steps of a quarter of a power of two, so a block wastes at most a fifth.
struct SizeClass {
  std::size_t index;
  std::size_t capacity;
};
SizeClass size_class_of(std::size_t size) {
  constexpr std::size_t kSmallest = 64;
  if (size <= kSmallest) return {.index = 0, .capacity = kSmallest};
  const auto power = static_cast<std::size_t>(std::bit_width(size - 1) - 1);
  const std::size_t step = (std::size_t{1} << power) / 4;
  const std::size_t quarter = (size - 1 - (std::size_t{1} << power)) / step;
  return {.index = (power - 6) * 4 + quarter + 1,
          .capacity = (std::size_t{1} << power) + (quarter + 1) * step};
}

// The arena whose run() this thread is in. What tree-sitter allocates outside of one, the cursor of
// a walk, comes from the heap.
thread_local Arena* current = nullptr;

// Of the last parse on this thread, if it has touched little of it: most sources are small, and to
// unmap stops every other thread for a moment.
constexpr std::size_t kMostKept = kMiB;
struct KeptMapping {
  ~KeptMapping() {
    if (mapping.base != nullptr) ::munmap(mapping.base, mapping.size);
  }
  Arena::Mapping mapping;
};
thread_local KeptMapping kept_mapping;

Header* header_of(void* pointer) {
  return static_cast<Header*>(pointer) - 1;
}

void* or_abort(void* pointer) {
  if (pointer == nullptr) std::abort();
  return pointer;
}

void* hook_malloc(std::size_t size) {
  return current != nullptr ? current->allocate(size) : or_abort(std::malloc(size));
}

void* hook_calloc(std::size_t count, std::size_t size) {
  if (current == nullptr) return or_abort(std::calloc(count, size));
  void* const pointer = current->allocate(count * size);
  std::memset(pointer, 0, count * size);
  return pointer;
}

void* hook_realloc(void* pointer, std::size_t size) {
  return current != nullptr ? current->reallocate(pointer, size)
                            : or_abort(std::realloc(pointer, size));
}

void hook_free(void* pointer) {
  if (current != nullptr) {
    current->release(pointer);
  } else {
    std::free(pointer);
  }
}

void set_hooks() {
  static std::once_flag once;
  std::call_once(once, [] { ts_set_allocator(hook_malloc, hook_calloc, hook_realloc, hook_free); });
}

}  // namespace

Result<Arena> Arena::make(std::size_t limit) {
  set_hooks();
  if (Mapping kept = std::exchange(kept_mapping.mapping, {}); kept.base != nullptr) {
    if (kept.size == limit) return Arena(kept);
    ::munmap(kept.base, kept.size);
  }
  void* const base = mmap(nullptr, limit, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return fail_errno("mmap for a parse");
  return Arena({.base = static_cast<std::byte*>(base), .size = limit});
}

Arena::Arena(Arena&& other) noexcept : mapping_(std::exchange(other.mapping_, {})) {}

Arena::~Arena() {
  if (mapping_.base == nullptr) return;
  if (used_ <= kMostKept && kept_mapping.mapping.base == nullptr) {
    kept_mapping.mapping = mapping_;
  } else {
    ::munmap(mapping_.base, mapping_.size);
  }
}

Arena::End Arena::run(void (*body)(void*), void* context, Clock::time_point deadline) {
  std::jmp_buf way_out;
  deadline_ = deadline;
  way_out_ = &way_out;
  why_ = End::kDone;
  current = this;
  // NOLINTNEXTLINE(*-err52-cpp): C code is left here, and no destructor is skipped
  if (setjmp(way_out) == 0) body(context);
  current = nullptr;
  way_out_ = nullptr;
  return why_;
}

void Arena::leave(End why) {
  why_ = why;
  // NOLINTNEXTLINE(*-err52-cpp)
  std::longjmp(*static_cast<std::jmp_buf*>(way_out_), 1);
}

void* Arena::allocate(std::size_t size) {
  constexpr std::uint32_t kAllocationsPerClock = 256;
  constexpr std::size_t kLarge = 64 * kKiB;  // copying that much is worth a look at the clock
  if (size > mapping_.size) leave(End::kOutOfMemory);
  if ((++allocations_ % kAllocationsPerClock == 0 || size > kLarge) && Clock::now() > deadline_) {
    leave(End::kOutOfTime);
  }
  const SizeClass wanted = size_class_of(size);
  FreeBlock*& given_back = free_[wanted.index];
  if (given_back != nullptr) return std::exchange(given_back, given_back->next);
  const std::size_t whole = sizeof(Header) + wanted.capacity;
  if (whole > mapping_.size - used_) leave(End::kOutOfMemory);
  auto* const header = reinterpret_cast<Header*>(mapping_.base + used_);
  used_ += whole;
  *header = {.capacity = wanted.capacity, .size_class = wanted.index};
  return header + 1;
}

void* Arena::reallocate(void* pointer, std::size_t size) {
  if (pointer == nullptr) return allocate(size);
  const std::size_t before = header_of(pointer)->capacity;
  if (size <= before) return pointer;
  void* const moved = allocate(size);
  std::memcpy(moved, pointer, before);
  release(pointer);
  return moved;
}

void Arena::release(void* pointer) {
  if (pointer == nullptr) return;
  FreeBlock*& first = free_[header_of(pointer)->size_class];
  first = new (pointer) FreeBlock{.next = first};
}

}  // namespace belljar::screen
