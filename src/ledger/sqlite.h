// Sqlite: one connection to one database file, its statements prepared once each, errors as
// Result. Not safe from several threads: whoever owns the connection takes turns.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace belljar::ledger::sqlite {

// The error of the last call on `connection`, as store.h names them.
std::unexpected<Error> failure(sqlite3* connection);

struct Blob {
  std::string_view bytes;
};

// One execution of a prepared statement. What is bound is borrowed until the Query goes.
class Query {
 public:
  explicit Query(sqlite3_stmt* statement) : statement_(statement) {}

  // The values of ?1, ?2, … in order.
  template <typename... Values>
  Query& bind(const Values&... values) {
    (bind_next(values), ...);
    return *this;
  }
  Result<bool> step();  // true: there is a row to read
  Status run();         // to the end, whatever rows there are

  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::string text(int column) const;  // also of a blob

 private:
  struct Reset {
    void operator()(sqlite3_stmt* statement) const;
  };

  void bind_next(std::int64_t value);
  void bind_next(int value) { bind_next(std::int64_t{value}); }
  void bind_next(std::string_view value);
  void bind_next(const Blob& value);

  std::unique_ptr<sqlite3_stmt, Reset> statement_;
  int index_ = 0;
  int bound_ = SQLITE_OK;  // the first failure to bind
};

class Connection {
 public:
  // Creates the file with mode 0600 where there is none, and takes the rights of others away where
  // there is one.
  static Result<Connection> open(const std::string& path, int busy_timeout_ms);

  // `sql` is one statement; it is prepared when it is first used.
  Result<Query> query(std::string_view sql);
  // One statement without values.
  Status execute(std::string_view sql);
  // Several of them, used once.
  Status script(const std::string& sql);
  // The one number that a statement without values answers.
  Result<std::int64_t> number(std::string_view sql);

  [[nodiscard]] std::int64_t changes() const { return sqlite3_changes64(connection_.get()); }
  [[nodiscard]] std::int64_t last_row() const {
    return sqlite3_last_insert_rowid(connection_.get());
  }

 private:
  friend class Transaction;
  struct Close {
    void operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

  explicit Connection(sqlite3* connection) : connection_(connection) {}

  std::unique_ptr<sqlite3, Close> connection_;
  std::map<std::string, Statement, std::less<>> statements_;  // by their text
};

// Holds the write lock from begin() on; rolled back unless committed.
class Transaction {
 public:
  static Result<Transaction> begin(Connection& connection);
  Status commit();

  Transaction(Transaction&& other) noexcept : open_(std::exchange(other.open_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();

 private:
  explicit Transaction(Connection& connection) : open_(&connection) {}
  Connection* open_;  // null once it is committed
};

}  // namespace belljar::ledger::sqlite
