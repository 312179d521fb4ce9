#include "ledger/sqlite.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <climits>
#include <cstring>
#include <string>
#include <utility>

#include "base/fd.h"
#include "base/sys.h"
#include "base/text.h"

namespace belljar::ledger::sqlite {
namespace {

// SQLite gives its -wal and -shm the mode of the database.
constexpr mode_t kMode = 0600;

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// An existing file is never opened here: closing any descriptor of it would drop the locks that
// SQLite holds on it in this process.
Status make_private(const std::string& path) {
  const int raw = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kMode);
  if (raw >= 0) {
    const Fd file = Fd::adopt(raw);
    if (::fchmod(raw, kMode) != 0) return fail_errno("chmod " + quote(path));
    TRY_ASSIGN(const Fd folder, sys::open_file(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY));
    // The name is as durable as what will be in the file.
    if (::fsync(folder.get()) != 0) return fail_errno("fsync " + quote(folder_of(path)));
    return {};
  }
  if (errno != EEXIST) return fail_errno("the ledger cannot be created: " + quote(path));
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return fail_errno("stat " + quote(path));
  if (!S_ISREG(status.st_mode)) {
    return fail(Code::kInvalid, "the ledger " + quote(path) + " is not a regular file");
  }
  if ((status.st_mode & 077U) != 0 && ::chmod(path.c_str(), kMode) != 0) {
    return fail_errno("chmod " + quote(path));
  }
  return {};
}

}  // namespace

std::unexpected<Error> failure(sqlite3* connection) {
  const int extended = sqlite3_extended_errcode(connection);
  Error error{.code = Code::kInternal, .sys = 0, .message = sqlite3_errmsg(connection)};
  const auto say = [&](Code code, std::string_view what) {
    error.code = code;
    error.message = std::string(what) + ": " + error.message;
  };
  switch (extended & 0xff) {
    case SQLITE_IOERR:
      if (extended == SQLITE_IOERR_READ || extended == SQLITE_IOERR_SHORT_READ) {
        say(Code::kExhausted, "the ledger cannot be read");
        break;
      }
      [[fallthrough]];
    case SQLITE_FULL:
    case SQLITE_READONLY:
      say(Code::kExhausted, "the ledger cannot be written");
      break;
    case SQLITE_CANTOPEN:
      error.sys = sqlite3_system_errno(connection);
      [[fallthrough]];
    case SQLITE_NOMEM:
      say(Code::kExhausted, "the ledger cannot be opened");
      break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      say(Code::kExhausted, "the ledger is held by another process");
      break;
    case SQLITE_CORRUPT:
      say(Code::kInternal, "the ledger is damaged");
      break;
    case SQLITE_NOTADB:
      say(Code::kUnavailable, "not a ledger");
      break;
    case SQLITE_TOOBIG:
      say(Code::kInvalid, "too large for the ledger");
      break;
    default:
      say(Code::kInternal, "ledger");
  }
  return std::unexpected(std::move(error));
}

// ---- Query -----------------------------------------------------------------------------------

void Query::Reset::operator()(sqlite3_stmt* statement) const {
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
}

void Query::bind_next(std::int64_t value) {
  const int code = sqlite3_bind_int64(statement_.get(), ++index_, value);
  if (bound_ == SQLITE_OK) bound_ = code;
}

void Query::bind_next(std::string_view value) {
  // A null pointer would bind NULL in place of the empty text.
  const char* const data = value.data() == nullptr ? "" : value.data();
  const int code = sqlite3_bind_text64(statement_.get(), ++index_, data, value.size(),
                                       SQLITE_STATIC, SQLITE_UTF8);
  if (bound_ == SQLITE_OK) bound_ = code;
}

void Query::bind_next(const Blob& value) {
  const char* const data = value.bytes.data() == nullptr ? "" : value.bytes.data();
  const int code =
      sqlite3_bind_blob64(statement_.get(), ++index_, data, value.bytes.size(), SQLITE_STATIC);
  if (bound_ == SQLITE_OK) bound_ = code;
}

Result<bool> Query::step() {
  sqlite3* const connection = sqlite3_db_handle(statement_.get());
  if (bound_ != SQLITE_OK) return failure(connection);
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return failure(connection);
}

Status Query::run() {
  while (true) {
    TRY_ASSIGN(const bool row, step());
    if (!row) return {};
  }
}

std::int64_t Query::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::string Query::text(int column) const {
  const void* const data = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  if (data == nullptr || size <= 0) return {};
  return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
}

// ---- Connection ------------------------------------------------------------------------------

Result<Connection> Connection::open(const std::string& path, int busy_timeout_ms) {
  TRY(make_private(path));
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &raw,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                                       SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE,
                                   nullptr);
  if (raw == nullptr) return fail(Code::kExhausted, "the ledger cannot be opened: out of memory");
  Connection connection(raw);
  if (code != SQLITE_OK) return failure(raw);
  sqlite3_busy_timeout(raw, busy_timeout_ms);
  // The file may have been tampered with: its schema calls no function and is not written directly.
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
  // Without the right to write, SQLite opens for reading and stays so.
  if (sqlite3_db_readonly(raw, "main") != 0) {
    return fail(Code::kDenied, "the ledger cannot be written: " + quote(path) + " is read-only");
  }
  return connection;
}

Result<Query> Connection::query(std::string_view sql) {
  auto place = statements_.find(sql);
  if (place == statements_.end()) {
    sqlite3_stmt* raw = nullptr;
    if (sqlite3_prepare_v3(connection_.get(), sql.data(), static_cast<int>(sql.size()),
                           SQLITE_PREPARE_PERSISTENT, &raw, nullptr) != SQLITE_OK) {
      return failure(connection_.get());
    }
    place = statements_.emplace(std::string(sql), Statement(raw)).first;
  }
  return Query(place->second.get());
}

Status Connection::execute(std::string_view sql) {
  TRY_ASSIGN(Query asked, query(sql));
  return asked.run();
}

Status Connection::script(const std::string& sql) {
  if (sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return failure(connection_.get());
  }
  return {};
}

Result<std::int64_t> Connection::number(std::string_view sql) {
  TRY_ASSIGN(Query asked, query(sql));
  TRY_ASSIGN(const bool row, asked.step());
  return row ? asked.integer(0) : 0;
}

// ---- Transaction -----------------------------------------------------------------------------

Result<Transaction> Transaction::begin(Connection& connection) {
  TRY(connection.execute("BEGIN IMMEDIATE"));
  return Transaction(connection);
}

Status Transaction::commit() {
  TRY(open_->execute("COMMIT"));
  open_ = nullptr;
  return {};
}

Transaction::~Transaction() {
  // After some errors SQLite has rolled back by itself.
  if (open_ == nullptr || sqlite3_get_autocommit(open_->connection_.get()) != 0) return;
  sqlite3_exec(open_->connection_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

}  // namespace belljar::ledger::sqlite
