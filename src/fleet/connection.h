// Connection: to the NATS servers of a fleet, through libnats. It comes back by itself when they
// do; while they are away every call fails at once.
//
// Runs in: gateway, worker of a fleet. Every member may be called from any thread.
// Errors: kUnavailable where the servers are away, do not answer in time or refuse.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace belljar::fleet {

using Milliseconds = std::chrono::milliseconds;

struct Options {
  std::string urls;  // nats://host:port or tls://host:port, with commas between; no password
  std::string name;  // what the servers call this client
  // Answers come to subjects below this, which the servers may let this client alone hear; empty:
  // "_INBOX", as every client's.
  std::string inbox;
  // Paths of files; empty: none.
  std::string credentials;  // a user's JWT and seed, as `nsc` writes them
  std::string authorities;  // PEM: who may sign the servers' certificates
  std::string certificate;  // PEM: this client's, with its chain
  std::string key;          // PEM
};

struct Message {
  std::string subject;
  std::string reply;  // where an answer goes; empty: nobody waits for one
  std::string data;
  int status = 0;  // of an answer without data, such as 404; 0: none
};

using Header = std::pair<std::string_view, std::string>;

class Subscription;

class Connection {
 public:
  static Result<std::unique_ptr<Connection>> open(const Options& options);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] bool is_up() const;
  Status publish(const std::string& subject, std::string_view data);
  Result<Message> request(const std::string& subject,
                          std::string_view data,
                          Milliseconds patience,
                          const std::vector<Header>& headers = {});
  // `take` is called from one thread, with one message after another, until the subscription is
  // destroyed.
  Result<std::unique_ptr<Subscription>> subscribe(const std::string& subject,
                                                  std::function<void(Message)> take);
  // What is published has reached a server when this answers.
  Status flush(Milliseconds patience);

 private:
  struct Handle;
  explicit Connection(std::unique_ptr<Handle> handle);
  std::unique_ptr<Handle> handle_;
};

class Subscription {
 public:
  // Nothing is taken any more when it has returned.
  ~Subscription();
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;

 private:
  friend class Connection;
  struct Handle;
  explicit Subscription(std::unique_ptr<Handle> handle);
  std::unique_ptr<Handle> handle_;
};

// Whether it can be one word of a subject, as what is put into one by what strangers say must be:
// 1 to 128 letters, digits, - and _.
bool is_word(std::string_view text);
// The words of a subject, which stand between its dots.
std::vector<std::string_view> words_of(std::string_view subject);

// The TCP ports that the URLs lead to. kInvalid for what is no list of nats:// or tls:// URLs.
Result<std::vector<std::uint16_t>> ports_of(std::string_view urls);

}  // namespace belljar::fleet
