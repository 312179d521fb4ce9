#include "ledger/secrets.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace belljar::ledger {
namespace {

std::string hex(const Digest& digest) {
  std::string out;
  for (const unsigned char byte : digest) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

TEST(Secrets, AreLongAndNeverTheSame) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = new_id("run_");
    EXPECT_EQ(id.size(), 36U);
    EXPECT_TRUE(id.starts_with("run_"));
    EXPECT_EQ(id.find_first_not_of("0123456789abcdef", 4), std::string::npos);
    seen.insert(id);
  }
  EXPECT_EQ(seen.size(), 1000U);
  EXPECT_EQ(random_hex(32).size(), 64U);
  EXPECT_EQ(random_hex(0), "");
}

TEST(Secrets, TheDigestIsBlake2b) {
  // From an independent implementation: python3's hashlib.blake2b("abc", digest_size=32).
  EXPECT_EQ(hex(digest("abc")), "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}

TEST(Secrets, TheMacIsHmacSha256) {
  // From an independent implementation: python3's hmac.
  EXPECT_EQ(hmac_sha256_hex("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hmac_sha256_hex("", ""),
            "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(Secrets, ADigestOfSeveralKnowsWhereEachEnds) {
  using Texts = std::vector<std::string_view>;
  EXPECT_TRUE(equal(digest(Texts{"ab", "c"}), digest(Texts{"ab", "c"})));
  EXPECT_FALSE(equal(digest(Texts{"ab", "c"}), digest(Texts{"a", "bc"})));
  EXPECT_FALSE(equal(digest(Texts{"abc"}), digest(Texts{"abc", ""})));
  EXPECT_FALSE(equal(digest(Texts{}), digest(Texts{""})));
}

}  // namespace
}  // namespace belljar::ledger
