// What every implementation of Store holds its arguments against, and what their rows have in
// common.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/secrets.h"
#include "ledger/store.h"

namespace belljar::ledger {

inline constexpr std::size_t kMaxErrorBytes = 500;   // of a delivery's error
inline constexpr std::int64_t kLastUsedMs = 60'000;  // a key used all the time costs a write each
inline constexpr std::int64_t kDaysOfUses = 31;      // that quotas' counts are kept

Status check_request(std::span<const Run> runs, std::string_view key);
Status check_ending(const Ending& ending);
Status check_new_key(const NewKey& key);
Status check_page(int limit);

// The words that are said of somebody else's run too.
std::unexpected<Error> no_such_run();
std::unexpected<Error> unknown_key();

std::string_view as_text(const Digest& digest);
Digest digest_of(std::span<const Run> runs);

// A key with a new secret.
CreatedKey make_key(const NewKey& key, std::int64_t now_ms);
// Bounds what is hashed.
bool may_be_secret(std::string_view secret);
// kDenied for a key that was revoked or has expired.
Status check_valid(const Key& key, std::int64_t now_ms);
std::string join_scopes(std::span<const std::string> scopes);
std::vector<std::string> split_scopes(std::string_view words);

// The place of a run in the order of list(): it stays valid when the run itself is gone.
struct Cursor {
  std::int64_t created_ms = 0;
  std::string id;
};
std::string format_cursor(const Run& last);
Result<Cursor> parse_cursor(std::string_view text);

}  // namespace belljar::ledger
