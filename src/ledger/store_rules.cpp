#include "ledger/store_rules.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace belljar::ledger {
namespace {

constexpr std::size_t kMaxIdBytes = 64;
constexpr std::size_t kMaxNameBytesOfKey = 128;
constexpr std::string_view kSecretPrefix = "bj_";
constexpr std::size_t kSecretBytes = 32;

bool is_id(std::string_view text) {
  return !text.empty() && text.size() <= kMaxIdBytes && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

Status check_name(std::string_view what, std::string_view text) {
  const bool controls = std::ranges::any_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
  if (text.empty() || text.size() > kMaxNameBytesOfKey || controls || !is_valid_utf8(text)) {
    return fail(Code::kInvalid, "a key's " + std::string(what) + " is 1 to " +
                                    std::to_string(kMaxNameBytesOfKey) +
                                    " bytes of UTF-8 without controls");
  }
  return {};
}

}  // namespace

Status check_request(std::span<const Run> runs, std::string_view key) {
  if (runs.empty()) return fail(Code::kInvalid, "a request has at least one run");
  if (key.size() > kMaxIdempotencyKeyBytes) {
    return fail(Code::kInvalid, "the idempotency key is longer than " +
                                    std::to_string(kMaxIdempotencyKeyBytes) + " bytes");
  }
  for (const Run& run : runs) {
    if (!is_id(run.id)) return fail(Code::kInvalid, "not the id of a run: " + quote(run.id));
    if (run.caller.empty()) return fail(Code::kInvalid, "a run has a caller");
    if (run.created_ms <= 0) return fail(Code::kInvalid, "a run has a time of creation");
    if (run.caller != runs.front().caller || run.created_ms != runs.front().created_ms) {
      return fail(Code::kInvalid, "the runs of one request have one caller and one time");
    }
  }
  return {};
}

Status check_new_key(const NewKey& key) {
  TRY(check_name("user", key.user));
  TRY(check_name("name", key.name));
  for (const std::string& scope : key.scopes) {
    const bool fine = std::ranges::all_of(scope, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
             std::string_view(":._*-").contains(c);
    });
    if (!fine || scope.empty() || scope.size() > kMaxIdBytes) {
      return fail(Code::kInvalid, "not a scope: " + quote(scope));
    }
  }
  const KeyLimits& limits = key.limits;
  if (limits.requests_per_minute < 0 || limits.concurrent < 0 || limits.runs_per_day < 0 ||
      key.expires_ms < 0) {
    return fail(Code::kInvalid, "a key's limits and times are not negative");
  }
  return {};
}

Status check_ending(const Ending& ending) {
  if (has_ended(ending.state)) return {};
  return fail(Code::kInvalid, "a run does not end as " + std::string(state_name(ending.state)));
}

std::unexpected<Error> no_such_run() {
  return fail(Code::kNotFound, "there is no run of this id");
}

std::string_view as_text(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

Digest digest_of(std::span<const Run> runs) {
  std::vector<std::string_view> submissions;
  submissions.reserve(runs.size());
  for (const Run& run : runs) {
    submissions.emplace_back(run.request.empty() ? run.submission : run.request);
  }
  return digest(submissions);
}

std::unexpected<Error> unknown_key() {
  return fail(Code::kDenied, "the key is not known");
}

Status check_page(int limit) {
  if (limit >= 1 && limit <= kMaxPage) return {};
  return fail(Code::kInvalid, "a page has 1 to " + std::to_string(kMaxPage) + " runs");
}

CreatedKey make_key(const NewKey& key, std::int64_t now_ms) {
  return {.key = {.id = new_id("key_"),
                  .user = key.user,
                  .name = key.name,
                  .scopes = key.scopes,
                  .limits = key.limits,
                  .created_ms = now_ms,
                  .last_used_ms = 0,
                  .expires_ms = key.expires_ms,
                  .revoked_ms = 0},
          .secret = std::string(kSecretPrefix) + random_hex(kSecretBytes)};
}

bool may_be_secret(std::string_view secret) {
  return secret.size() == kSecretPrefix.size() + 2 * kSecretBytes;
}

Status check_valid(const Key& key, std::int64_t now_ms) {
  if (key.revoked_ms != 0) return fail(Code::kDenied, "the key was revoked");
  if (key.expires_ms != 0 && key.expires_ms <= now_ms) {
    return fail(Code::kDenied, "the key has expired");
  }
  return {};
}

std::string join_scopes(std::span<const std::string> scopes) {
  std::string words;
  for (const std::string& scope : scopes) words += (words.empty() ? "" : " ") + scope;
  return words;
}

std::vector<std::string> split_scopes(std::string_view words) {
  std::vector<std::string> out;
  while (!words.empty()) {
    const std::size_t end = std::min(words.find(' '), words.size());
    out.emplace_back(words.substr(0, end));
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return out;
}

std::string format_cursor(const Run& last) {
  return std::to_string(last.created_ms) + "." + last.id;
}

Result<Cursor> parse_cursor(std::string_view text) {
  Cursor cursor;
  const char* const end = text.data() + text.size();
  const auto [dot, error] = std::from_chars(text.data(), end, cursor.created_ms);
  if (error == std::errc() && dot != end && *dot == '.') cursor.id.assign(dot + 1, end);
  if (cursor.created_ms <= 0 || !is_id(cursor.id)) {
    return fail(Code::kInvalid, "not a cursor: " + quote(text));
  }
  return cursor;
}

}  // namespace belljar::ledger
