// `belljar keys`: who may use the service.
#include <fmt/format.h>
#include <unistd.h>

#include "app/byte_sink.h"
#include "app/exit_codes.h"
#include "app/invocation.h"
#include "app/settings_source.h"
#include "app/store_access.h"
#include "base/id.h"
#include "base/text.h"

namespace belljar::app {
namespace {

Result<std::int64_t> number(const Arguments& arguments, std::string_view option) {
  const auto text = arguments.value(option);
  if (!text) return 0;
  const auto parsed = parse_count(*text);
  if (!parsed || *parsed > 1'000'000'000) {
    return fail(Code::kInvalid, "--" + std::string(option) + ": must be a whole number");
  }
  return static_cast<std::int64_t>(*parsed);
}

Result<std::string> create(ledger::Store& store, const Arguments& arguments) {
  const auto user = arguments.value("for");
  if (!user) return fail(Code::kInvalid, "--for USER says whose key it is");
  ledger::NewKey key{.user = std::string(*user),
                     .name = std::string(arguments.value("name").value_or("default"))};
  for (const std::string_view scope : arguments.values("scope")) key.scopes.emplace_back(scope);
  if (key.scopes.empty()) key.scopes.emplace_back("runs");
  TRY_ASSIGN(key.limits.requests_per_minute, number(arguments, "per-minute"));
  TRY_ASSIGN(key.limits.concurrent, number(arguments, "at-once"));
  TRY_ASSIGN(key.limits.runs_per_day, number(arguments, "per-day"));
  TRY_ASSIGN(const std::int64_t days, number(arguments, "expires"));
  const std::int64_t now = unix_ms();
  if (days > 0) key.expires_ms = now + days * ledger::kDayMs;
  TRY_ASSIGN(const ledger::CreatedKey made, store.create_key(key, now));
  return fmt::format("{}\n{}\n", made.key.id, made.secret);
}

std::string state_of(const ledger::Key& key) {
  if (key.revoked_ms != 0) return "revoked";
  if (key.expires_ms != 0 && key.expires_ms <= unix_ms()) return "expired";
  return "valid";
}

Result<std::string> list(ledger::Store& store) {
  TRY_ASSIGN(const auto keys, store.list_keys());
  std::string page = fmt::format("{:<32} {:<8} {:<16} {:<16} {:<16} {}\n", "id", "state", "user",
                                 "name", "scopes", "last used");
  for (const ledger::Key& key : keys) {
    std::string scopes;
    for (const std::string& scope : key.scopes) scopes += (scopes.empty() ? "" : ",") + scope;
    page += fmt::format("{:<32} {:<8} {:<16} {:<16} {:<16} {}\n", key.id, state_of(key),
                        escape_for_terminal(key.user), escape_for_terminal(key.name), scopes,
                        key.last_used_ms == 0 ? "never" : format_time(key.last_used_ms));
  }
  return page;
}

}  // namespace

Result<int> keys_command(Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  const std::string_view what = arguments.operands().front();
  TRY_ASSIGN(const auto store, open_store(invocation));
  std::string page;
  if (what == "create") {
    TRY_ASSIGN(page, create(*store, arguments));
  } else if (what == "list") {
    TRY_ASSIGN(page, list(*store));
  } else if (what == "revoke") {
    if (arguments.operands().size() < 2) return fail(Code::kInvalid, "keys revoke: which key?");
    TRY(store->revoke_key(arguments.operands()[1], unix_ms()));
  } else {
    return fail(Code::kInvalid, "keys: must be create, list or revoke");
  }
  TRY(write_patiently(STDOUT_FILENO, page));
  return kExitOk;
}

}  // namespace belljar::app
