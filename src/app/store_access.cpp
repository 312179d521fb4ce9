#include "app/store_access.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "app/settings_source.h"
#include "base/text.h"

namespace belljar::app {

Result<std::unique_ptr<ledger::SqliteStore>> open_store(const Arguments& arguments) {
  TRY_ASSIGN(const api::Settings settings, read_settings(arguments));
  std::error_code error;
  const bool made = std::filesystem::create_directories(settings.state_dir, error);
  if (error)
    return fail(Code::kInvalid, "state-dir: " + quote(settings.state_dir) + ": " + error.message());
  if (made && ::chmod(settings.state_dir.c_str(), 0700) != 0) return fail_errno("state-dir: chmod");
  auto store = ledger::SqliteStore::open(settings.state_dir + "/ledger.db");
  struct stat folder{};
  if (store && ::geteuid() == 0 && ::stat(settings.state_dir.c_str(), &folder) == 0) {
    for (const char* const suffix : {"", "-wal", "-shm"}) {
      const std::string file = settings.state_dir + "/ledger.db" + suffix;
      if (::lchown(file.c_str(), folder.st_uid, folder.st_gid) != 0 && errno != ENOENT) {
        return fail_errno("state-dir: chown");
      }
    }
  }
  return store;
}

}  // namespace belljar::app
