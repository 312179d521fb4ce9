#include "screen/parse.h"

#include <pthread.h>

#include <cstdint>
#include <utility>

#include "base/units.h"

namespace belljar::screen {
namespace {

constexpr std::size_t kParseMemory = 128 * kMiB;
// A node of the parse stack takes 230 bytes of an arena and 112 bytes of stack, a node of the tree
// 80 and 96.
constexpr std::size_t kParserStack = 2 * kParseMemory;

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

Status run_with_parser_stack(const std::function<void()>& body) {
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
