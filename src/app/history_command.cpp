// `belljar history`: what the service ran, newest first.
#include <fmt/format.h>
#include <unistd.h>

#include "api/run_service.h"
#include "app/byte_sink.h"
#include "app/exit_codes.h"
#include "app/invocation.h"
#include "app/store_access.h"
#include "base/id.h"
#include "base/text.h"

namespace belljar::app {
namespace {

std::string row(const ledger::Run& run) {
  return fmt::format("{:<31} {:<25} {:<10} {:<14} {:<11} {}\n", run.id, format_time(run.created_ms),
                     ledger::state_name(run.state), run.status.empty() ? "-" : run.status,
                     run.language, escape_for_terminal(run.caller));
}

}  // namespace

Result<int> history_command(Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  TRY_ASSIGN(const auto store, open_store(invocation));
  const bool json = arguments.has("json");
  std::string page;
  if (!arguments.operands().empty()) {
    TRY_ASSIGN(const ledger::Run run, store->find(arguments.operands().front()));
    page = escape_json_for_terminal(api::to_json(run)) + "\n";
  } else {
    int limit = 20;
    if (const auto text = arguments.value("last")) {
      const auto parsed = parse_count(*text);
      if (!parsed || *parsed == 0 || *parsed > static_cast<std::uint64_t>(ledger::kMaxPage)) {
        return fail(Code::kInvalid, fmt::format("--last: must be 1 to {}", ledger::kMaxPage));
      }
      limit = static_cast<int>(*parsed);
    }
    ledger::Filter filter;
    filter.language = arguments.value("language").value_or("");
    filter.caller = arguments.value("caller").value_or("");
    if (const auto state = arguments.value("state")) {
      filter.state = ledger::parse_state(*state);
      if (!filter.state) return fail(Code::kInvalid, "--state: there is no such state");
    }
    TRY_ASSIGN(const ledger::Page found, store->list(filter, "", limit));
    if (!json)
      page = fmt::format("{:<31} {:<25} {:<10} {:<14} {:<11} {}\n", "id", "created", "state",
                         "status", "language", "caller");
    for (const ledger::Run& run : found.runs)
      page += json ? escape_json_for_terminal(api::to_json(run)) + "\n" : row(run);
  }
  TRY(write_patiently(STDOUT_FILENO, page));
  return kExitOk;
}

}  // namespace belljar::app
