#include "fleet/connection.h"

#include <nats/nats.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <mutex>

#include "base/text.h"
#include "base/units.h"

namespace belljar::fleet {
namespace {

constexpr int kUsualPort = 4222;

// libnats may block in a name look-up or a handshake for no longer than this.
constexpr int64_t kConnectMs = 2000;
constexpr int64_t kReconnectMs = 250;
// A server that is gone without a word is noticed after three of these.
constexpr int64_t kPingMs = 2000;

std::unexpected<Error> nats_error(std::string_view what, natsStatus status) {
  return fail(Code::kUnavailable, "NATS: " + std::string(what) + ": " + natsStatus_GetText(status));
}

template <auto Destroy>
struct Destroyer {
  template <typename T>
  void operator()(T* each) const {
    Destroy(each);
  }
};
using OwnedMessage = std::unique_ptr<natsMsg, Destroyer<natsMsg_Destroy>>;
// What came, until it is given back to the library: that wakes a thread of its for each message
// that it finds alone.
class TakenMessages {
 public:
  void add(natsMsg* message) {
    constexpr std::size_t kMost = 32;
    constexpr std::size_t kMostBytes = 65'536;
    bytes_ += static_cast<std::size_t>(natsMsg_GetDataLength(message));
    messages_.emplace_back(message);
    if (messages_.size() < kMost && bytes_ < kMostBytes) return;
    messages_.clear();
    bytes_ = 0;
  }

 private:
  std::vector<OwnedMessage> messages_;
  std::size_t bytes_ = 0;
};

using OwnedOptions = std::unique_ptr<natsOptions, Destroyer<natsOptions_Destroy>>;

// libnats writes it as it is, and a space or the end of a line in it would be the protocol's own.
Status check_subject(const std::string& subject) {
  const bool ok = !subject.empty() && std::ranges::none_of(subject, [](unsigned char c) {
    constexpr unsigned char kDelete = 0x7f;
    return c <= ' ' || c == kDelete;
  });
  if (!ok) return fail(Code::kInvalid, "NATS: " + quote(subject) + " is no subject");
  return {};
}

std::string text_of(const char* text) {
  return text == nullptr ? std::string() : std::string(text);
}

Message message_of(natsMsg* from) {
  Message made{.subject = text_of(natsMsg_GetSubject(from)),
               .reply = text_of(natsMsg_GetReply(from)),
               .data = std::string(natsMsg_GetData(from),
                                   static_cast<std::size_t>(natsMsg_GetDataLength(from)))};
  const char* status = nullptr;
  if (natsMsgHeader_Get(from, "Status", &status) == NATS_OK && status != nullptr) {
    made.status = static_cast<int>(parse_count(text_of(status)).value_or(0));
  }
  return made;
}

Status apply(natsOptions* to, const Options& from) {
  std::vector<std::string> urls;
  for (const std::string_view each : comma_list(from.urls)) urls.emplace_back(each);
  std::vector<const char*> servers;
  servers.reserve(urls.size());
  for (const std::string& each : urls) servers.push_back(each.c_str());
  // All of the first is tried, then the next: each gives its own status.
  const auto all = [&]() -> natsStatus {
    natsStatus s = natsOptions_SetServers(to, servers.data(), static_cast<int>(servers.size()));
    if (s == NATS_OK) s = natsOptions_SetName(to, from.name.c_str());
    if (s == NATS_OK) s = natsOptions_SetTimeout(to, kConnectMs);
    if (s == NATS_OK) s = natsOptions_SetMaxReconnect(to, -1);
    if (s == NATS_OK) s = natsOptions_SetReconnectWait(to, kReconnectMs);
    if (s == NATS_OK) s = natsOptions_SetReconnectJitter(to, kReconnectMs, kReconnectMs);
    if (s == NATS_OK) s = natsOptions_SetPingInterval(to, kPingMs);
    if (s == NATS_OK) s = natsOptions_SetMaxPingsOut(to, 2);
    if (s == NATS_OK) s = natsOptions_SetSendAsap(to, true);
    if (s == NATS_OK) s = natsOptions_SetFailRequestsOnDisconnect(to, true);
    // An inbox for each request. What a pull is answered with keeps its own subject, by which the
    // library cannot tell whose it is where several requests share one, and drops it.
    if (s == NATS_OK) s = natsOptions_UseOldRequestStyle(to, true);
    if (s == NATS_OK && !from.inbox.empty()) {
      s = natsOptions_SetCustomInboxPrefix(to, from.inbox.c_str());
    }
    if (s == NATS_OK && !from.credentials.empty()) {
      s = natsOptions_SetUserCredentialsFromFiles(to, from.credentials.c_str(), nullptr);
    }
    if (s == NATS_OK && !from.authorities.empty()) {
      s = natsOptions_LoadCATrustedCertificates(to, from.authorities.c_str());
    }
    if (s == NATS_OK && !from.certificate.empty()) {
      s = natsOptions_LoadCertificatesChain(to, from.certificate.c_str(), from.key.c_str());
    }
    const bool tls = !from.authorities.empty() || !from.certificate.empty() ||
                     from.urls.find("tls://") != std::string::npos;
    if (s == NATS_OK && tls) s = natsOptions_SetSecure(to, true);
    return s;
  };
  if (const natsStatus s = all(); s != NATS_OK) return nats_error("set up", s);
  return {};
}

}  // namespace

struct Connection::Handle {
  natsConnection* connection = nullptr;
};

struct Subscription::Handle {
  natsSubscription* subscription = nullptr;
  std::function<void(Message)> take;
  TakenMessages taken;  // of the library's thread
  std::mutex mutex;
  std::condition_variable changed;
  bool complete = false;
};

Connection::Connection(std::unique_ptr<Handle> handle) : handle_(std::move(handle)) {}

Connection::~Connection() {
  natsConnection_Close(handle_->connection);
  natsConnection_Destroy(handle_->connection);
}

Result<std::unique_ptr<Connection>> Connection::open(const Options& options) {
  natsOptions* made = nullptr;
  if (const natsStatus s = natsOptions_Create(&made); s != NATS_OK) return nats_error("set up", s);
  const OwnedOptions owned(made);
  TRY(apply(made, options));
  auto handle = std::make_unique<Handle>();
  if (const natsStatus s = natsConnection_Connect(&handle->connection, made); s != NATS_OK) {
    return nats_error("connect", s);
  }
  return std::unique_ptr<Connection>(new Connection(std::move(handle)));
}

bool Connection::is_up() const {
  return natsConnection_Status(handle_->connection) == NATS_CONN_STATUS_CONNECTED;
}

// While it is away libnats would keep what is published, and send it when nobody expects it.
Status Connection::publish(const std::string& subject, std::string_view data) {
  TRY(check_subject(subject));
  if (!is_up()) return fail(Code::kUnavailable, "NATS is away");
  const natsStatus s = natsConnection_Publish(handle_->connection, subject.c_str(), data.data(),
                                              static_cast<int>(data.size()));
  if (s != NATS_OK) return nats_error("publish", s);
  return {};
}

Result<Message> Connection::request(const std::string& subject,
                                    std::string_view data,
                                    Milliseconds patience,
                                    const std::vector<Header>& headers) {
  TRY(check_subject(subject));
  if (!is_up()) return fail(Code::kUnavailable, "NATS is away");
  natsMsg* asked = nullptr;
  natsStatus s =
      natsMsg_Create(&asked, subject.c_str(), nullptr, data.data(), static_cast<int>(data.size()));
  if (s != NATS_OK) return nats_error("request", s);
  const OwnedMessage question(asked);
  for (const auto& [name, value] : headers) {
    s = natsMsgHeader_Set(asked, std::string(name).c_str(), value.c_str());
    if (s != NATS_OK) return nats_error("request", s);
  }
  natsMsg* got = nullptr;
  s = natsConnection_RequestMsg(&got, handle_->connection, asked, patience.count());
  if (s != NATS_OK) return nats_error("request", s);
  const OwnedMessage answer(got);
  return message_of(got);
}

Result<std::unique_ptr<Subscription>> Connection::subscribe(const std::string& subject,
                                                            std::function<void(Message)> take) {
  TRY(check_subject(subject));
  auto handle = std::make_unique<Subscription::Handle>();
  handle->take = std::move(take);
  constexpr auto on_message = [](natsConnection*, natsSubscription*, natsMsg* got, void* closure) {
    auto* const handle = static_cast<Subscription::Handle*>(closure);
    handle->take(message_of(got));
    handle->taken.add(got);
  };
  natsStatus s = natsConnection_Subscribe(&handle->subscription, handle_->connection,
                                          subject.c_str(), on_message, handle.get());
  if (s != NATS_OK) return nats_error("subscribe", s);
  constexpr auto on_complete = [](void* closure) {
    auto* const done = static_cast<Subscription::Handle*>(closure);
    const std::lock_guard lock(done->mutex);
    done->complete = true;
    done->changed.notify_all();
  };
  s = natsSubscription_SetOnCompleteCB(handle->subscription, on_complete, handle.get());
  auto made = std::unique_ptr<Subscription>(new Subscription(std::move(handle)));
  if (s != NATS_OK) return nats_error("subscribe", s);
  // What is dropped because it was not taken in time is missed like what was lost on the way.
  natsSubscription_SetPendingLimits(made->handle_->subscription, -1, -1);
  return made;
}

Status Connection::flush(Milliseconds patience) {
  const natsStatus s = natsConnection_FlushTimeout(handle_->connection, patience.count());
  if (s != NATS_OK) return nats_error("flush", s);
  return {};
}

Subscription::Subscription(std::unique_ptr<Handle> handle) : handle_(std::move(handle)) {}

Subscription::~Subscription() {
  natsSubscription_Unsubscribe(handle_->subscription);
  {
    std::unique_lock lock(handle_->mutex);
    constexpr std::chrono::seconds kPatience{5};
    handle_->changed.wait_for(lock, kPatience, [this] { return handle_->complete; });
  }
  natsSubscription_Destroy(handle_->subscription);
}

bool is_word(std::string_view text) {
  constexpr std::size_t kLongest = 128;
  return !text.empty() && text.size() <= kLongest && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
}

std::vector<std::string_view> words_of(std::string_view subject) {
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t dot = subject.find('.');
    words.push_back(subject.substr(0, dot));
    if (dot == std::string_view::npos) return words;
    subject.remove_prefix(dot + 1);
  }
}

Result<std::vector<std::uint16_t>> ports_of(std::string_view urls) {
  std::vector<std::uint16_t> ports;
  for (const std::string_view each : comma_list(urls)) {
    const auto wrong = [each] {
      return fail(Code::kInvalid, "fleet: " + quote(each) + " must be nats://HOST:PORT or tls://…");
    };
    if (!each.starts_with("nats://") && !each.starts_with("tls://")) return wrong();
    std::string_view place = each.substr(each.find("//") + 2);
    // A password in it would be in the list of processes for all to see.
    if (place.empty() || place.find('@') != std::string_view::npos) return wrong();
    const std::size_t bracket = place.find(']');
    const std::size_t colon = place.find(':', bracket == std::string_view::npos ? 0 : bracket);
    if (colon == std::string_view::npos) {
      ports.push_back(kUsualPort);
      continue;
    }
    const auto port = parse_count(place.substr(colon + 1));
    if (!port || *port == 0 || *port > UINT16_MAX) return wrong();
    ports.push_back(static_cast<std::uint16_t>(*port));
  }
  if (ports.empty()) return fail(Code::kInvalid, "fleet: names no server");
  return ports;
}

}  // namespace belljar::fleet
