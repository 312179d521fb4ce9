#include "ledger/postgres.h"

#include <endian.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include "base/text.h"
#include "base/units.h"

namespace belljar::ledger::postgres {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Oid kBigint = 20;
constexpr Oid kText = 25;
constexpr Oid kBytea = 17;
constexpr int kOldestServer = 150000;
constexpr std::uint16_t kUsualPort = 5432;
// Beyond the server's own timeout, for a server that is gone without a word.
constexpr std::chrono::milliseconds kGrace{1000};
// After a failure to connect the next call tries again only after this.
constexpr std::chrono::milliseconds kAway{500};

std::string one_line(const char* text) {
  std::string line = text == nullptr ? "" : text;
  while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.pop_back();
  std::ranges::replace(line, '\n', ' ');
  return repair_utf8(line);
}

Failure failed(std::string state, std::string_view message) {
  Failure failure{.error = {.code = Code::kInternal, .sys = 0, .message = std::string(message)},
                  .state = std::move(state)};
  const auto say = [&failure](Code code, std::string_view what) {
    failure.error.code = code;
    failure.error.message = std::string(what) + ": " + failure.error.message;
  };
  const std::string_view kind = std::string_view(failure.state).substr(0, 2);
  const auto is = [&failure](std::initializer_list<std::string_view> states) {
    return std::ranges::find(states, failure.state) != states.end();
  };
  if (is({"22021", "22P05"})) {
    say(Code::kInvalid, "not text of UTF-8");
  } else if (kind == "54") {
    say(Code::kInvalid, "too large for the ledger");
  } else if (kind == "XX" && failure.state != "XX000") {
    say(Code::kInternal, "the ledger is damaged");
  } else if (kind == "53" || kind == "58" || is({"25006"})) {
    say(Code::kExhausted, "the ledger cannot be written");
  } else if (is({"57014", "55P03", "40001", "40P01", "25P03"})) {
    say(Code::kExhausted, "the ledger is slow");
  } else if (kind == "57" || kind == "08" || kind == "28" || kind == "3D" || is({"42501"})) {
    say(Code::kExhausted, "the ledger cannot be reached");
  } else {
    say(Code::kInternal, "ledger");
  }
  return failure;
}

Failure failed(const PGresult* result) {
  const char* const state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* const message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  return failed(state == nullptr ? "" : state, one_line(message));
}

Failure away(std::string message) {
  return {.error = {.code = Code::kExhausted,
                    .sys = 0,
                    .message = "the ledger cannot be reached: " + std::move(message)},
          .state = {}};
}

int left(Clock::time_point deadline) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(ms.count(), 0, 600'000));
}

// False where the time is over.
bool wait_for(int socket, short events, Clock::time_point deadline) {
  pollfd waiting{.fd = socket, .events = events, .revents = 0};
  while (true) {
    const int ready = ::poll(&waiting, 1, left(deadline));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

// The values of one statement as libpq takes them.
struct Bound {
  explicit Bound(std::span<const Value> values) : numbers(values.size()) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (const auto* const number = std::get_if<std::int64_t>(&values[i])) {
        numbers[i] = htobe64(static_cast<std::uint64_t>(*number));
        add(kBigint, {reinterpret_cast<const char*>(&numbers[i]), sizeof numbers[i]});
      } else if (const auto* const text = std::get_if<std::string_view>(&values[i])) {
        add(kText, *text);
      } else {
        add(kBytea, std::get<Blob>(values[i]).bytes);
      }
    }
  }
  // A null pointer would be NULL in place of the empty text.
  void add(Oid type, std::string_view bytes) {
    types.push_back(type);
    data.push_back(bytes.data() == nullptr ? "" : bytes.data());
    sizes.push_back(static_cast<int>(bytes.size()));
    formats.push_back(1);
  }

  std::vector<std::uint64_t> numbers;
  std::vector<Oid> types;
  std::vector<const char*> data;
  std::vector<int> sizes;
  std::vector<int> formats;
};

}  // namespace

Result<std::vector<std::uint16_t>> ports(const std::string& url) {
  char* wrong = nullptr;
  const std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> options(
      PQconninfoParse(url.c_str(), &wrong), PQconninfoFree);
  const std::unique_ptr<char, void (*)(void*)> message(wrong, PQfreemem);
  if (!options) return fail(Code::kInvalid, "ledger: " + one_line(wrong));
  std::string list;
  for (const PQconninfoOption* each = options.get(); each->keyword != nullptr; ++each) {
    if (std::string_view(each->keyword) == "port" && each->val != nullptr) list = each->val;
  }
  if (const char* const usual = ::getenv("PGPORT"); list.empty() && usual != nullptr) list = usual;
  std::vector<std::uint16_t> ports;
  for (const std::string_view text : comma_list(list)) {
    const auto port = parse_count(text);
    if (!port || *port == 0 || *port > UINT16_MAX) {
      return fail(Code::kInvalid, "ledger: not a port: " + quote(text));
    }
    ports.push_back(static_cast<std::uint16_t>(*port));
  }
  // Of several hosts each may leave its port out.
  ports.push_back(kUsualPort);
  return ports;
}

// ---- Rows ------------------------------------------------------------------------------------

std::int64_t Rows::integer(int row, int column) const {
  std::uint64_t number = 0;
  if (PQgetlength(result_.get(), row, column) == sizeof number) {
    std::memcpy(&number, PQgetvalue(result_.get(), row, column), sizeof number);
  }
  return static_cast<std::int64_t>(be64toh(number));
}

std::string Rows::text(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column),
          static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

// ---- Connection ------------------------------------------------------------------------------

Answer<Connection> Connection::open(const Options& options) {
  // What comes later holds: the URL may say the same.
  std::vector<const char*> keywords{"gssencmode", "dbname"};
  std::vector<const char*> values{"disable", options.url.c_str()};
  const auto add = [&](const char* keyword, const char* value) {
    keywords.push_back(keyword);
    values.push_back(value);
  };
  if (!options.password.empty()) add("password", options.password.c_str());
  const std::string patience =
      std::to_string((options.statement_timeout + kGrace + options.connect_timeout).count());
  add("client_encoding", "UTF8");
  add("application_name", "belljar");
  add("tcp_user_timeout", patience.c_str());
  keywords.push_back(nullptr);
  values.push_back(nullptr);

  const auto deadline = Clock::now() + options.connect_timeout;
  Connection made(PQconnectStartParams(keywords.data(), values.data(), 1),
                  options.statement_timeout + kGrace);
  PGconn* const raw = made.connection_.get();
  if (raw == nullptr) return std::unexpected(away("out of memory"));
  PQsetNoticeProcessor(raw, [](void*, const char*) {}, nullptr);
  for (PostgresPollingStatusType next = PGRES_POLLING_WRITING; next != PGRES_POLLING_OK;
       next = PQconnectPoll(raw)) {
    if (next == PGRES_POLLING_FAILED || PQstatus(raw) == CONNECTION_BAD) {
      return std::unexpected(away(one_line(PQerrorMessage(raw))));
    }
    if (!wait_for(PQsocket(raw), next == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline)) {
      return std::unexpected(away("no answer in time"));
    }
  }
  const auto refused = [](std::string message) {
    return std::unexpected(
        Failure{.error = {.code = Code::kUnavailable, .sys = 0, .message = std::move(message)},
                .state = {}});
  };
  if (PQserverVersion(raw) < kOldestServer) return refused("the ledger needs PostgreSQL 15");
  const char* const encoding = PQparameterStatus(raw, "server_encoding");
  if (encoding == nullptr || std::string_view(encoding) != "UTF8") {
    return refused("the ledger's database must have the encoding UTF8");
  }
  PQsetnonblocking(raw, 1);
  const std::string timeout = std::to_string(options.statement_timeout.count());
  const Answer<void> set =
      made.script("SET search_path = belljar; SET statement_timeout = " + timeout +
                  "; SET lock_timeout = " + timeout +
                  "; SET idle_in_transaction_session_timeout = " + patience +
                  "; SET synchronous_commit = " + (options.waits ? "on" : "off"));
  if (!set) return std::unexpected(set.error());
  return made;
}

Failure Connection::broken(std::string_view what) {
  lost_ = true;
  const std::string why = one_line(PQerrorMessage(connection_.get()));
  Failure failure = away(std::string(what) + (why.empty() ? "" : ", " + why));
  failure.unknown = true;
  return failure;
}

bool Connection::usable() const {
  return !lost_ && PQstatus(connection_.get()) == CONNECTION_OK &&
         PQtransactionStatus(connection_.get()) == PQTRANS_IDLE;
}

bool Connection::fresh() {
  pollfd waiting{.fd = PQsocket(connection_.get()), .events = POLLIN, .revents = 0};
  if (::poll(&waiting, 1, 0) == 0) return true;
  // Something came while nothing was asked: a notice, or the server's last words.
  return PQconsumeInput(connection_.get()) == 1 && PQstatus(connection_.get()) == CONNECTION_OK &&
         ::poll(&waiting, 1, 0) == 0;
}

// Until there is an answer to read.
Answer<void> Connection::wait(Deadline deadline) {
  PGconn* const raw = connection_.get();
  while (true) {
    const int unsent = PQflush(raw);
    if (unsent < 0) return std::unexpected(broken("the connection broke"));
    if (unsent == 0 && PQisBusy(raw) == 0) return {};
    const auto events = static_cast<short>(unsent > 0 ? POLLIN | POLLOUT : POLLIN);
    if (!wait_for(PQsocket(raw), events, deadline)) {
      return std::unexpected(broken("no answer in time"));
    }
    if (PQconsumeInput(raw) != 1) return std::unexpected(broken("the connection broke"));
  }
}

Answer<Rows> Connection::take(Deadline deadline) {
  if (const Answer<void> there = wait(deadline); !there) return std::unexpected(there.error());
  PGresult* const result = PQgetResult(connection_.get());
  Rows rows(result);
  switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
    case PGRES_PIPELINE_SYNC:
      return rows;
    case PGRES_PIPELINE_ABORTED:
      return std::unexpected(Failure{.error = {.message = "aborted"}, .state = "25P02"});
    default:
      if (PQstatus(connection_.get()) != CONNECTION_OK) {
        return std::unexpected(broken("the connection broke"));
      }
      return std::unexpected(failed(result));
  }
}

std::string Connection::name_of(std::string_view sql, bool& known) {
  const auto found = prepared_.find(sql);
  known = found != prepared_.end();
  if (known) return found->second;
  return prepared_.emplace(std::string(sql), "s" + std::to_string(++names_)).first->second;
}

Answer<Rows> Connection::query(const Statement& statement) {
  Batch batch = send({&statement, 1});
  if (batch.failure) return std::unexpected(*std::move(batch.failure));
  return std::move(batch.answers.front());
}

Connection::Batch Connection::send(std::span<const Statement> statements) {
  PGconn* const raw = connection_.get();
  const auto deadline = Clock::now() + patience_;
  Batch batch;
  const auto lost = [&]() -> Batch {
    batch.failure = broken("the connection broke");
    return std::move(batch);
  };
  if (PQenterPipelineMode(raw) != 1) return lost();
  std::vector<bool> prepares;
  for (const Statement& each : statements) {
    const Bound bound(each.values);
    bool known = false;
    const std::string name = name_of(each.sql, known);
    prepares.push_back(!known);
    if (!known) {
      if (PQsendPrepare(raw, name.c_str(), std::string(each.sql).c_str(),
                        static_cast<int>(bound.types.size()), bound.types.data()) != 1) {
        return lost();
      }
    }
    if (PQsendQueryPrepared(raw, name.c_str(), static_cast<int>(bound.types.size()),
                            bound.data.data(), bound.sizes.data(), bound.formats.data(), 1) != 1) {
      return lost();
    }
  }
  if (PQpipelineSync(raw) != 1) return lost();
  // Each statement is answered by its rows and a null; the preparation of one likewise.
  const auto answer = [&]() -> Answer<Rows> {
    Answer<Rows> rows = take(deadline);
    if (lost_) return rows;
    if (const Answer<void> there = wait(deadline); !there) return std::unexpected(there.error());
    while (PGresult* const more = PQgetResult(raw)) PQclear(more);
    return rows;
  };
  for (std::size_t i = 0; i < statements.size() && !lost_; ++i) {
    if (prepares[i]) {
      const Answer<Rows> done = answer();
      if (!done && !batch.failure) batch.failure = done.error();
      if (!done) prepared_.erase(prepared_.find(statements[i].sql));
      if (lost_) break;
    }
    Answer<Rows> rows = answer();
    if (batch.failure) continue;
    if (rows) {
      batch.answers.push_back(*std::move(rows));
    } else {
      batch.failure = std::move(rows).error();
    }
  }
  if (lost_) return batch;
  // What fails at the end of the transaction is told before the answer to the sync.
  while (true) {
    const Answer<void> there = wait(deadline);
    if (!there) {
      batch.failure = there.error();
      return batch;
    }
    PGresult* const result = PQgetResult(raw);
    if (result == nullptr) {
      if (PQstatus(raw) != CONNECTION_OK) return lost();
      continue;
    }
    const Rows held(result);
    if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) break;
    if (!batch.failure) batch.failure = failed(result);
    if (PQstatus(raw) != CONNECTION_OK) return lost();
  }
  if (PQexitPipelineMode(raw) != 1) return lost();
  return batch;
}

Answer<void> Connection::script(const std::string& sql) {
  PGconn* const raw = connection_.get();
  const auto deadline = Clock::now() + patience_;
  if (PQsendQuery(raw, sql.c_str()) != 1) {
    return std::unexpected(broken("the connection broke"));
  }
  std::optional<Failure> failure;
  while (true) {
    if (const Answer<void> there = wait(deadline); !there) return std::unexpected(there.error());
    PGresult* const result = PQgetResult(raw);
    if (result == nullptr) break;
    const Rows held(result);
    const ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && !failure) {
      failure = failed(result);
    }
  }
  if (PQstatus(raw) != CONNECTION_OK) return std::unexpected(broken("the connection broke"));
  if (failure) return std::unexpected(*std::move(failure));
  return {};
}

// ---- Pool ------------------------------------------------------------------------------------

Pool::Lease::~Lease() {
  if (pool_ != nullptr) pool_->give_back(std::move(connection_));
}

void Pool::give_back(Connection connection) {
  const bool usable = connection.usable();
  {
    const std::lock_guard lock(mutex_);
    if (usable) {
      idle_.push_back(std::move(connection));
    } else {
      --open_;
    }
  }
  changed_.notify_one();
}

Result<Pool::Lease> Pool::lease() {
  const auto deadline = Clock::now() + options_.connect_timeout + options_.statement_timeout;
  std::unique_lock lock(mutex_);
  while (true) {
    while (!idle_.empty()) {
      Connection connection = std::move(idle_.back());
      idle_.pop_back();
      if (connection.fresh()) return Lease(*this, std::move(connection));
      --open_;
    }
    if (Clock::now() < away_until_) return fail(Code::kExhausted, away_);
    if (open_ < options_.connections) break;
    if (changed_.wait_until(lock, deadline) == std::cv_status::timeout) {
      return fail(Code::kExhausted, "the ledger is slow: every connection to it is in use");
    }
  }
  ++open_;
  // The others are told at once while this one tries, if the last one that tried had no luck.
  if (!away_.empty()) away_until_ = Clock::now() + options_.connect_timeout + kAway;
  lock.unlock();
  Answer<Connection> made = Connection::open(options_);
  lock.lock();
  if (made) {
    away_.clear();
    away_until_ = {};
    lock.unlock();
    return Lease(*this, *std::move(made));
  }
  --open_;
  away_ = made.error().error.message;
  away_until_ = Clock::now() + kAway;
  lock.unlock();
  changed_.notify_all();
  return std::unexpected(std::move(made).error().error);
}

}  // namespace belljar::ledger::postgres
