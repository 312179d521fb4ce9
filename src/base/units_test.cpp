#include "base/units.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace belljar {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;

TEST(ParseBytes, TakesPowersOf1024WithAnyUsualSuffix) {
  const struct {
    std::string_view text;
    std::uint64_t bytes;
  } cases[] = {
      {"0", 0},
      {"100", 100},
      {"100B", 100},
      {"1K", kKiB},
      {"1k", kKiB},
      {"1KB", kKiB},
      {"1KiB", kKiB},
      {"64M", 64 * kMiB},
      {"64m", 64 * kMiB},
      {"64MiB", 64 * kMiB},
      {"2G", 2 * kGiB},
      {"2gB", 2 * kGiB},
      {"18446744073709551615", std::numeric_limits<std::uint64_t>::max()},
      {"17179869183G", 17179869183ULL * kGiB},
  };
  for (const auto& c : cases) {
    const auto bytes = parse_bytes(c.text);
    ASSERT_TRUE(bytes) << c.text;
    EXPECT_EQ(*bytes, c.bytes) << c.text;
  }
}

TEST(ParseBytes, RefusesWhatIsNotASize) {
  for (const std::string_view text : {"",
                                      " ",
                                      "K",
                                      "-1",
                                      "+1",
                                      "1.5M",
                                      "1e3",
                                      "nan",
                                      "inf",
                                      "0x10",
                                      "1 M",
                                      " 1",
                                      "1 ",
                                      "1T",
                                      "1Mi",
                                      "1MBB",
                                      "1ib",
                                      "18446744073709551616",
                                      "17179869184G",
                                      "1\n"}) {
    const auto bytes = parse_bytes(text);
    ASSERT_FALSE(bytes) << text;
    EXPECT_EQ(bytes.error().code, Code::kInvalid) << text;
  }
}

TEST(ParseBytes, RefusesAnEmbeddedNul) {
  EXPECT_FALSE(parse_bytes(std::string_view("1\0", 2)));
}

TEST(ParseDuration, TakesSecondsUnlessASuffixSaysOtherwise) {
  const struct {
    std::string_view text;
    Nanoseconds duration;
  } cases[] = {
      {"0", nanoseconds(0)},        {"2", seconds(2)},
      {"2s", seconds(2)},           {"1.5s", milliseconds(1500)},
      {"250ms", milliseconds(250)}, {"100us", microseconds(100)},
      {"7ns", nanoseconds(7)},      {"3m", minutes(3)},
      {"0.001", milliseconds(1)},   {".5s", milliseconds(500)},
      {"365s", seconds(365)},
  };
  for (const auto& c : cases) {
    const auto duration = parse_duration(c.text);
    ASSERT_TRUE(duration) << c.text;
    EXPECT_EQ(*duration, c.duration) << c.text;
  }
}

TEST(ParseDuration, RefusesWhatIsNotADuration) {
  for (const std::string_view text :
       {"", "s", "-1s", "-0.1", "nan", "inf", "-inf", "1e3", "1e308", "1 s", " 1s", "1s ", "1h",
        "1S", "31536001s", "99999999999999999999", "1.5.5s", "0x1p3", "1,5s"}) {
    const auto duration = parse_duration(text);
    ASSERT_FALSE(duration) << text;
    EXPECT_EQ(duration.error().code, Code::kInvalid) << text;
  }
}

TEST(ParseCount, TakesPlainDecimals) {
  EXPECT_EQ(*parse_count("0"), 0U);
  EXPECT_EQ(*parse_count("64"), 64U);
  EXPECT_EQ(*parse_count("18446744073709551615"), std::numeric_limits<std::uint64_t>::max());
}

TEST(ParseCount, RefusesEverythingElse) {
  for (const std::string_view text :
       {"", "-1", "+1", "1.0", "1K", "1e3", "nan", " 1", "1 ", "18446744073709551616"}) {
    EXPECT_FALSE(parse_count(text)) << text;
  }
}

TEST(FormatBytes, ChoosesTheUnitThatReadsBest) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1024), "1.0 KiB");
  EXPECT_EQ(format_bytes(1536 * kKiB), "1.5 MiB");
  EXPECT_EQ(format_bytes(16 * kGiB), "16.0 GiB");
}

TEST(FormatDuration, ChoosesTheUnitThatReadsBest) {
  EXPECT_EQ(format_duration(nanoseconds(0)), "0 us");
  EXPECT_EQ(format_duration(microseconds(999)), "999 us");
  EXPECT_EQ(format_duration(microseconds(12300)), "12.3 ms");
  EXPECT_EQ(format_duration(seconds(1)), "1.00 s");
  EXPECT_EQ(format_duration(minutes(60)), "3600.00 s");
}

}  // namespace
}  // namespace belljar
