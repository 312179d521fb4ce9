#include "app/store_access.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "app/fleet_parts.h"
#include "app/settings_source.h"
#include "base/text.h"
#include "ledger/sqlite_store.h"

namespace belljar::app {
namespace {

Status make_folder(const api::Settings& settings) {
  std::error_code error;
  const bool made = std::filesystem::create_directories(settings.state_dir, error);
  if (error)
    return fail(Code::kInvalid, "state-dir: " + quote(settings.state_dir) + ": " + error.message());
  if (made && ::chmod(settings.state_dir.c_str(), 0700) != 0) return fail_errno("state-dir: chmod");
  return {};
}

Status give_to_owner(const api::Settings& settings) {
  struct stat folder{};
  if (::geteuid() != 0 || ::stat(settings.state_dir.c_str(), &folder) != 0) return {};
  for (const char* const suffix : {"", "-wal", "-shm"}) {
    const std::string file = settings.state_dir + "/ledger.db" + suffix;
    if (::lchown(file.c_str(), folder.st_uid, folder.st_gid) != 0 && errno != ENOENT) {
      return fail_errno("state-dir: chown");
    }
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<ledger::Store>> open_store(const Invocation& invocation) {
  TRY_ASSIGN(const api::Settings settings, read_settings(invocation.arguments));
  if (!settings.ledger.empty()) {
    if (invocation.fleet == nullptr) return become_fleet(invocation.argv);
    TRY_ASSIGN(std::string password, ledger_password(settings));
    return invocation.fleet->open(settings, std::move(password), "");
  }
  TRY(make_folder(settings));
  TRY_ASSIGN(std::unique_ptr<ledger::Store> store,
             ledger::SqliteStore::open(settings.state_dir + "/ledger.db"));
  TRY(give_to_owner(settings));
  return store;
}

Result<ledger::Migrated> migrate_store(const Invocation& invocation) {
  TRY_ASSIGN(const api::Settings settings, read_settings(invocation.arguments));
  if (!settings.ledger.empty()) {
    if (invocation.fleet == nullptr) return become_fleet(invocation.argv);
    TRY_ASSIGN(std::string password, ledger_password(settings));
    return invocation.fleet->migrate(settings, std::move(password));
  }
  TRY(make_folder(settings));
  TRY_ASSIGN(const ledger::Migrated done,
             ledger::SqliteStore::migrate_file(settings.state_dir + "/ledger.db"));
  TRY(give_to_owner(settings));
  return done;
}

}  // namespace belljar::app
