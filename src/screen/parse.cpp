#include "screen/parse.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

#include "base/units.h"

namespace belljar::screen {
namespace {

constexpr std::size_t kParseMemory = 128 * kMiB;
// A node of the parse stack takes 230 bytes of an arena and 112 bytes of stack, a node of the tree
// 80 and 96.
constexpr std::size_t kParserStack = 2 * kParseMemory;
constexpr std::size_t kOtherStack = 8 * kMiB;  // for what a thread does besides

struct Job {
  const TSLanguage* language;
  std::string_view text;
  Arena::Clock::time_point deadline;
  TSTree* tree;
};

const char* read_text(void* job, std::uint32_t offset, TSPoint, std::uint32_t* length) {
  const std::string_view text = static_cast<const Job*>(job)->text;
  const std::string_view rest = text.substr(std::min<std::size_t>(offset, text.size()));
  *length = static_cast<std::uint32_t>(rest.size());
  return rest.data();
}

bool is_late(TSParseState* state) {
  return Arena::Clock::now() > static_cast<const Job*>(state->payload)->deadline;
}

// Left in the middle when the arena's bounds are met. Parser and tree go with the arena.
void make_tree(void* context) {
  auto* const job = static_cast<Job*>(context);
  TSParser* const parser = ts_parser_new();
  if (!ts_parser_set_language(parser, job->language)) return;
  TSInput input{};
  input.payload = job;
  input.read = read_text;
  input.encoding = TSInputEncodingUTF8;
  TSParseOptions options{};
  options.payload = job;
  options.progress_callback = is_late;
  job->tree = ts_parser_parse_with_options(parser, nullptr, input, options);
}

struct Stack {
  char* lowest = nullptr;
  std::size_t size = 0;
};

Stack stack_of_this_thread() {
  Stack stack;
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return stack;
  void* lowest = nullptr;
  if (pthread_attr_getstack(&attributes, &lowest, &stack.size) == 0) {
    stack.lowest = static_cast<char*>(lowest);
  } else {
    stack.size = 0;
  }
  pthread_attr_destroy(&attributes);
  return stack;
}

// Else a thread would keep for ever what its deepest text has touched.
void forget_below(const Stack& stack, const char* here) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto end = (reinterpret_cast<std::uintptr_t>(here) - 64 * kKiB) & ~(page - 1);
  const auto begin = reinterpret_cast<std::uintptr_t>(stack.lowest);
  if (end > begin) ::madvise(stack.lowest, end - begin, MADV_DONTNEED);
}

void* call(void* body) {
  (*static_cast<const std::function<void()>*>(body))();
  return nullptr;
}

}  // namespace

Result<Arena::End> parse(const TSLanguage* language,
                         std::string_view text,
                         Arena::Clock::time_point deadline,
                         const std::function<void(TSNode root)>& visit) {
  TRY_ASSIGN(Arena arena, Arena::make(kParseMemory));
  Job job{.language = language, .text = text, .deadline = deadline, .tree = nullptr};
  const Arena::End end = arena.run(make_tree, &job, deadline);
  if (end != Arena::End::kDone) return end;
  if (job.tree == nullptr) return Arena::End::kOutOfTime;
  visit(ts_tree_root_node(job.tree));
  return end;
}

Status give_threads_parser_stack(std::size_t threads) {
  // With vm.overcommit_memory = 2 what is promised counts, touched or not, proc_sys_vm(5).
  const std::size_t all = threads * (kParserStack + kOtherStack);
  void* const room =
      ::mmap(nullptr, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) return {};
  ::munmap(room, all);
  pthread_attr_t attributes;
  int error = pthread_attr_init(&attributes);
  if (error == 0) error = pthread_attr_setstacksize(&attributes, kParserStack + kOtherStack);
  if (error == 0) error = pthread_setattr_default_np(&attributes);
  if (error != 0) return fail_errno("the stacks of threads", error);
  pthread_attr_destroy(&attributes);
  return {};
}

Status run_with_parser_stack(const std::function<void()>& body) {
  static const thread_local Stack stack = stack_of_this_thread();
  const char here = 0;
  if (stack.size >= kParserStack + kOtherStack / 2) {
    body();
    forget_below(stack, &here);
    return {};
  }
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kParserStack);
  pthread_t thread{};
  const int error =
      pthread_create(&thread, &attributes, call, const_cast<std::function<void()>*>(&body));
  pthread_attr_destroy(&attributes);
  if (error != 0) return fail_errno("a thread to parse on", error);
  pthread_join(thread, nullptr);
  return {};
}

void walk(TSNode root, const std::function<bool(TSNode, std::size_t)>& visit) {
  TSTreeCursor cursor = ts_tree_cursor_new(root);
  std::size_t depth = 0;
  while (visit(ts_tree_cursor_current_node(&cursor), depth)) {
    if (ts_tree_cursor_goto_first_child(&cursor)) {
      ++depth;
      continue;
    }
    while (depth > 0 && !ts_tree_cursor_goto_next_sibling(&cursor)) {
      ts_tree_cursor_goto_parent(&cursor);
      --depth;
    }
    if (depth == 0) break;
  }
  ts_tree_cursor_delete(&cursor);
}

}  // namespace belljar::screen
