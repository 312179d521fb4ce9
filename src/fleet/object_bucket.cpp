#include "fleet/object_bucket.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <optional>

#include "base/id.h"
#include "base/text.h"

namespace belljar::fleet {
namespace {

namespace json = boost::json;

constexpr std::size_t kChunk = 128 * 1024;
constexpr std::size_t kLargest = 1024 * 1024 * 1024;
constexpr Milliseconds kPatience{5000};
const Header kReplacesOthers{"Nats-Rollup", "sub"};

std::string url_safe(std::string_view bytes) {
  std::string text = base64_encode(bytes);
  std::ranges::replace(text, '+', '-');
  std::ranges::replace(text, '/', '_');
  return text;
}

std::string sha256(std::string_view bytes) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> sum{};
  crypto_hash_sha256(sum.data(), reinterpret_cast<const unsigned char*>(bytes.data()),
                     bytes.size());
  return "SHA-256=" + url_safe({reinterpret_cast<const char*>(sum.data()), sum.size()});
}

// Of the chunks. Who made the description may be a worker: the name of one object's, no pattern.
std::optional<std::string> nuid_in(const json::value& description) {
  const json::value* const nuid =
      description.is_object() ? description.get_object().if_contains("nuid") : nullptr;
  if (nuid == nullptr || !nuid->is_string()) return std::nullopt;
  std::string name(nuid->get_string());
  if (!is_word(name)) return std::nullopt;
  return name;
}

}  // namespace

std::string ObjectBucket::chunks_of(const std::string& nuid) const {
  return "$O." + bucket_ + ".C." + nuid;
}

std::string ObjectBucket::description_of(const std::string& name) const {
  return "$O." + bucket_ + ".M." + url_safe(name);
}

Status ObjectBucket::make(std::chrono::seconds max_age, std::uint64_t replicas) {
  return stream_.make_stream({.name = stream_name(),
                              .subjects = {"$O." + bucket_ + ".C.>", "$O." + bucket_ + ".M.>"},
                              .rolls_up = true,
                              .max_age = max_age,
                              .replicas = replicas});
}

Status ObjectBucket::put(const std::string& name, std::string_view bytes) {
  if (bytes.size() > kLargest) return fail(Code::kInvalid, "an object has at most 1 GiB");
  const std::string nuid = make_id("o");
  std::uint64_t chunks = 0;
  for (std::size_t at = 0; at < bytes.size(); at += kChunk, ++chunks) {
    TRY(stream_.publish(chunks_of(nuid), bytes.substr(at, kChunk), "", kPatience));
  }
  const json::object description{{"name", name},
                                 {"bucket", bucket_},
                                 {"nuid", nuid},
                                 {"size", bytes.size()},
                                 {"mtime", format_time(unix_ms())},
                                 {"chunks", chunks},
                                 {"digest", sha256(bytes)}};
  TRY(stream_.publish(description_of(name), json::serialize(description), "", kPatience,
                      {kReplacesOthers}));
  return {};
}

Result<std::string> ObjectBucket::get(const std::string& name) {
  TRY_ASSIGN(const JetStream::Stored stored, stream_.get(stream_name(), description_of(name), 0));
  const auto damaged = [&name] {
    return fail(Code::kUnavailable, "JetStream: the object " + quote(name) + " is damaged");
  };
  boost::system::error_code error;
  const json::value description = json::parse(stored.data, error);
  if (error || !description.is_object()) return damaged();
  const std::optional<std::string> nuid = nuid_in(description);
  const json::value* const chunks = description.get_object().if_contains("chunks");
  const json::value* const sum = description.get_object().if_contains("digest");
  if (!nuid || chunks == nullptr || !chunks->is_int64() || sum == nullptr || !sum->is_string()) {
    return damaged();
  }
  std::string bytes;
  std::uint64_t from = 1;
  for (std::int64_t i = 0; i < chunks->get_int64(); ++i) {
    TRY_ASSIGN(const JetStream::Stored chunk, stream_.get(stream_name(), chunks_of(*nuid), from));
    bytes += chunk.data;
    if (bytes.size() > kLargest) return damaged();  // how many there are was the maker's to say
    from = chunk.number + 1;
  }
  if (sha256(bytes) != sum->get_string()) return damaged();
  return bytes;
}

Status ObjectBucket::remove(const std::string& name) {
  TRY_ASSIGN(const JetStream::Stored stored, stream_.get(stream_name(), description_of(name), 0));
  boost::system::error_code error;
  const json::value description = json::parse(stored.data, error);
  const std::optional<std::string> nuid = error ? std::nullopt : nuid_in(description);
  if (nuid) TRY(stream_.purge(stream_name(), chunks_of(*nuid)));
  return stream_.purge(stream_name(), description_of(name));
}

}  // namespace belljar::fleet
