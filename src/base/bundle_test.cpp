#include "base/bundle.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace belljar {
namespace {

std::string sample() {
  std::string bytes;
  append_file(bytes, {.path = "a.txt", .content = "hello", .executable = false});
  append_file(bytes,
              {.path = "bin/run", .content = std::string_view("\0\xff", 2), .executable = true});
  append_file(bytes, {.path = "empty", .content = "", .executable = false});
  append_end(bytes, false);
  return bytes;
}

template <typename T>
void put(std::string& bytes, std::size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

void expect_refused(const std::string& bytes) {
  const auto bundle = parse_bundle(bytes);
  ASSERT_FALSE(bundle);
  EXPECT_EQ(bundle.error().code, Code::kInvalid);
}

TEST(Bundle, GivesBackWhatWasAppended) {
  const std::string bytes = sample();
  const auto bundle = parse_bundle(bytes);
  ASSERT_TRUE(bundle);
  ASSERT_EQ(bundle->files.size(), 3U);
  EXPECT_EQ(bundle->files[0].path, "a.txt");
  EXPECT_EQ(bundle->files[0].content, "hello");
  EXPECT_FALSE(bundle->files[0].executable);
  EXPECT_EQ(bundle->files[1].path, "bin/run");
  EXPECT_EQ(bundle->files[1].content, std::string_view("\0\xff", 2));
  EXPECT_TRUE(bundle->files[1].executable);
  EXPECT_EQ(bundle->files[2].content, "");
  EXPECT_FALSE(bundle->more);
}

TEST(Bundle, SaysWhetherThereWasMore) {
  std::string bytes;
  append_end(bytes, true);
  const auto bundle = parse_bundle(bytes);
  ASSERT_TRUE(bundle);
  EXPECT_TRUE(bundle->files.empty());
  EXPECT_TRUE(bundle->more);
}

TEST(Bundle, RefusesEveryTruncation) {
  const std::string whole = sample();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    SCOPED_TRACE(length);
    expect_refused(whole.substr(0, length));
  }
}

TEST(Bundle, RefusesBytesAfterTheEnd) {
  expect_refused(sample() + '\0');
}

TEST(Bundle, RefusesABadMagic) {
  std::string bytes = sample();
  bytes[0] = 'X';
  expect_refused(bytes);
}

TEST(Bundle, RefusesSizesBeyondTheInput) {
  const std::string whole = sample();
  for (const std::uint32_t size : {0x7fffffffU, 0xffffffffU}) {
    std::string bytes = whole;
    put(bytes, offsetof(BundleFileHeader, path_bytes), size);
    expect_refused(bytes);
  }
  for (const std::uint64_t size : {~0ULL, ~0ULL - 4, 1ULL << 63, 1ULL * whole.size()}) {
    std::string bytes = whole;
    put(bytes, offsetof(BundleFileHeader, content_bytes), size);
    expect_refused(bytes);
  }
}

TEST(Bundle, AnyByteChangedIsRefusedOrStaysInsideTheInput) {
  const std::string whole = sample();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const char flip : {'\x01', '\x80', '\xff'}) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ flip);
      const auto bundle = parse_bundle(bytes);
      if (!bundle) continue;
      std::size_t total = 0;
      for (const BundleFile& file : bundle->files) total += file.path.size() + file.content.size();
      EXPECT_LE(total, bytes.size());
    }
  }
}

}  // namespace
}  // namespace belljar
