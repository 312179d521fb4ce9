// Postgres: connections to one PostgreSQL database, statements prepared once for each, every wait
// with an end, errors as Result. A connection is not safe from several threads; the pool is.
#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace belljar::ledger::postgres {

struct Options {
  std::string url;  // postgresql://…, without a password
  std::string
      password;       // empty: whatever libpq finds (PGPASSFILE, a certificate, the socket's peer)
  bool waits = true;  // for the server's disk at each commit
  std::chrono::milliseconds connect_timeout{3000};
  // Of one statement: the server ends it, and a server that does not is given up a second later.
  std::chrono::milliseconds statement_timeout{5000};
  std::size_t connections = 8;
};

// The ports that a URL leads to, as libpq reads it. kInvalid for one that it cannot read.
Result<std::vector<std::uint16_t>> ports(const std::string& url);

struct Blob {
  std::string_view bytes;
};
// bigint, text, bytea; borrowed.
using Value = std::variant<std::int64_t, std::string_view, Blob>;

struct Statement {
  std::string_view sql;
  std::vector<Value> values{};
};

// What is wrong, as store.h names it, and how the server calls it.
struct Failure {
  Error error;
  std::string state;     // SQLSTATE; empty where the connection broke
  bool unknown = false;  // whether it was done cannot be told
};

class Rows {
 public:
  Rows() = default;
  explicit Rows(PGresult* result) : result_(result) {}

  [[nodiscard]] int size() const { return result_ ? PQntuples(result_.get()) : 0; }
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] std::int64_t integer(int row, int column) const;
  [[nodiscard]] std::string text(int row, int column) const;

 private:
  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  std::unique_ptr<PGresult, Clear> result_;
};

template <typename T>
using Answer = std::expected<T, Failure>;

// Without what only the ledger's own code looks at.
template <typename T>
Result<T> plain(Answer<T> answer) {
  if (!answer) return std::unexpected(std::move(answer).error().error);
  if constexpr (std::is_void_v<T>) {
    return {};
  } else {
    return *std::move(answer);
  }
}

class Connection {
 public:
  static Answer<Connection> open(const Options& options);

  // One statement, in a transaction of its own where none is open.
  Answer<Rows> query(const Statement& statement);
  // Sent together, answered together. The answers end with the first failure, whose statement
  // number is answers.size().
  struct Batch {
    std::vector<Rows> answers;
    std::optional<Failure> failure;
  };
  Batch send(std::span<const Statement> statements);
  // Several without values or answers, used once.
  Answer<void> script(const std::string& sql);

  // Whether it can be used again: nothing broke and no transaction is open.
  [[nodiscard]] bool usable() const;
  // Whether the server has not closed it since.
  [[nodiscard]] bool fresh();

 private:
  struct Close {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  using Deadline = std::chrono::steady_clock::time_point;

  Connection(PGconn* raw, std::chrono::milliseconds patience)
      : connection_(raw), patience_(patience) {}

  std::string name_of(std::string_view sql, bool& known);
  bool enqueue(const Statement& statement);
  Answer<Rows> take(Deadline deadline);
  Answer<void> wait(Deadline deadline);
  Failure broken(std::string_view what);

  std::unique_ptr<PGconn, Close> connection_;
  std::chrono::milliseconds patience_;
  std::map<std::string, std::string, std::less<>> prepared_;  // text to name
  int names_ = 0;
  bool lost_ = false;
};

// Connections that threads borrow. One that breaks is replaced by itself. While the server is away,
// only one call a moment tries to reach it; the others are told at once.
class Pool {
 public:
  explicit Pool(Options options) : options_(std::move(options)) {}

  class Lease {
   public:
    Lease(Pool& pool, Connection connection) : pool_(&pool), connection_(std::move(connection)) {}
    Lease(Lease&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)), connection_(std::move(other.connection_)) {}
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    Connection* operator->() { return &connection_; }
    Connection& operator*() { return connection_; }

   private:
    Pool* pool_;
    Connection connection_;
  };
  Result<Lease> lease();

 private:
  void give_back(Connection connection);

  const Options options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Connection> idle_;
  std::size_t open_ = 0;  // idle or lent
  std::chrono::steady_clock::time_point away_until_;
  std::string away_;  // why it could not be reached last
};

}  // namespace belljar::ledger::postgres
