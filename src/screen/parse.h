// A syntax tree, within bounds of memory, time and stack.
#pragma once

#include <tree_sitter/api.h>

#include <chrono>
#include <functional>
#include <string_view>

#include "base/result.h"
#include "screen/arena.h"

namespace belljar::screen {

// Parses `text` and lets `visit` see the tree, which is gone afterwards. Where memory or time runs
// out there is no tree and `visit` is not called.
Result<Arena::End> parse(const TSLanguage* language,
                         std::string_view text,
                         Arena::Clock::time_point deadline,
                         const std::function<void(TSNode root)>& visit);

// Runs `body` on a stack that cannot overflow in parse(): some of tree-sitter's functions call
// themselves once for each node that they find, and there is more stack than an arena has room for
// nodes. On this thread if it has such a stack, else on one that is made for it. The stack costs
// what is touched of it, and only until `body` ends.
Status run_with_parser_stack(const std::function<void()>& body);

// Gives such a stack to the threads that this process makes from now on, if the host has address
// space to promise to `threads` of them; else they stay as they are.
Status give_threads_parser_stack(std::size_t threads);

// Every node under and including `root`, parents first, without recursion. `visit` gives false to
// stop.
void walk(TSNode root, const std::function<bool(TSNode node, std::size_t depth)>& visit);

}  // namespace belljar::screen
