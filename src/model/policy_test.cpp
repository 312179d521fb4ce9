#include "model/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <set>
#include <string>

namespace belljar {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

Result<LimitOverrides> set_one(std::string_view name, std::string_view value) {
  LimitOverrides wanted;
  TRY(set_limit(wanted, name, value));
  return wanted;
}

TEST(LimitFields, NameEveryLimitOnce) {
  std::vector<std::string_view> names;
  for (const LimitField& field : limit_fields()) names.push_back(field.name);
  EXPECT_THAT(names, ::testing::ElementsAre("wall", "cpu", "memory", "processes", "output", "box",
                                            "tmp", "inodes", "open_files", "file_size", "stack",
                                            "cpus", "artifacts"));
}

TEST(LimitFields, EachHasItsOwnPlaceAndAHelpText) {
  std::set<const void*> places;
  Limits limits;
  LimitOverrides wanted;
  for (const LimitField& field : limit_fields()) {
    EXPECT_FALSE(field.help.empty()) << field.name;
    if (field.kind == LimitField::Kind::kDuration) {
      ASSERT_TRUE(field.duration != nullptr && field.wanted_duration != nullptr) << field.name;
      EXPECT_TRUE(places.insert(&(limits.*field.duration)).second) << field.name;
      EXPECT_TRUE(places.insert(&(wanted.*field.wanted_duration)).second) << field.name;
    } else {
      ASSERT_TRUE(field.number != nullptr && field.wanted_number != nullptr) << field.name;
      EXPECT_TRUE(places.insert(&(limits.*field.number)).second) << field.name;
      EXPECT_TRUE(places.insert(&(wanted.*field.wanted_number)).second) << field.name;
    }
  }
}

// A limit that were left out of the table would be neither parsed nor checked.
TEST(LimitFields, CoverTheWholeOfLimits) {
  constexpr std::size_t kDurations = 2;
  constexpr std::size_t kNumbers = 11;
  static_assert(sizeof(Limits) ==
                kDurations * sizeof(Nanoseconds) + kNumbers * sizeof(std::uint64_t));
  EXPECT_EQ(limit_fields().size(), kDurations + kNumbers);
}

TEST(SetLimit, ReadsEachKind) {
  EXPECT_EQ(set_one("wall", "2s")->wall, seconds(2));
  EXPECT_EQ(set_one("wall", "250ms")->wall, milliseconds(250));
  EXPECT_EQ(set_one("cpu", "1.5")->cpu, milliseconds(1500));
  EXPECT_EQ(set_one("memory", "128M")->memory, 128 * kMiB);
  EXPECT_EQ(set_one("processes", "64")->processes, 64U);
  EXPECT_EQ(set_one("output", "100K")->output, 100 * kKiB);
  EXPECT_EQ(set_one("box", "1G")->box, kGiB);
  EXPECT_EQ(set_one("tmp", "1")->tmp, 1U);
  EXPECT_EQ(set_one("inodes", "5")->inodes, 5U);
  EXPECT_EQ(set_one("open_files", "16")->open_files, 16U);
  EXPECT_EQ(set_one("file_size", "1M")->file_size, kMiB);
  EXPECT_EQ(set_one("stack", "8M")->stack, 8 * kMiB);
  EXPECT_EQ(set_one("artifacts", "4K")->artifacts, 4 * kKiB);
}

TEST(SetLimit, ReadsProcessorsInThousandths) {
  const struct {
    std::string_view text;
    std::uint64_t milli;
  } cases[] = {{"1", 1000},     {"0.5", 500},  {"2", 2000},       {"0.25", 250}, {"0.125", 125},
               {"1.050", 1050}, {"64", 64000}, {"12.007", 12007}, {"0.01", 10}};
  for (const auto& c : cases) EXPECT_EQ(set_one("cpus", c.text)->cpus_milli, c.milli) << c.text;
}

TEST(SetLimit, RefusesZeroForEveryLimit) {
  for (const LimitField& field : limit_fields()) {
    const auto wanted = set_one(field.name, "0");
    ASSERT_FALSE(wanted) << field.name;
    EXPECT_EQ(wanted.error().code, Code::kInvalid);
    EXPECT_THAT(wanted.error().message, HasSubstr(std::string(field.name)));
  }
}

TEST(SetLimit, RefusesForEveryLimitWhatIsNoPlainAmount) {
  for (const LimitField& field : limit_fields()) {
    for (const std::string_view value :
         {"",          " ",    "-1",    "+1",     "nan",  "NaN",
          "inf",       "-inf", "1e308", "1e3",    "0x10", "null",
          "unlimited", "1 ",   " 1",    "\"10\"", "1,5",  "99999999999999999999999",
          "0.0",       "-0",   "1\n",   "∞"}) {
      LimitOverrides wanted;
      const Status status = set_limit(wanted, field.name, value);
      ASSERT_FALSE(status) << field.name << "=" << value;
      EXPECT_EQ(status.error().code, Code::kInvalid);
      EXPECT_THAT(status.error().message, HasSubstr(std::string(field.name)));
      EXPECT_EQ(status.error().message.find('\n'), std::string::npos);
      EXPECT_EQ(wanted, LimitOverrides{});
    }
  }
}

TEST(SetLimit, RefusesPerKind) {
  const struct {
    std::string_view name;
    std::string_view value;
  } cases[] = {
      {"wall", "0.0000000001s"},
      {"wall", "1h"},
      {"wall", "128M"},
      {"cpu", "31536001s"},
      {"memory", "1.5G"},
      {"memory", "2s"},
      {"memory", "17179869184G"},
      {"processes", "1K"},
      {"processes", "18446744073709551616"},
      {"cpus", "0.5555"},
      {"cpus", "1."},
      {"cpus", ".5"},
      {"cpus", "0.000"},
      {"cpus", "0.009"},
      {"cpus", "1.-5"},
      {"cpus", "1.5s"},
      {"cpus", "1.5.5"},
      {"cpus", "18446744073709551"},
      {"cpus", "18446744073709551615"},
  };
  for (const auto& c : cases) EXPECT_FALSE(set_one(c.name, c.value)) << c.name << "=" << c.value;
}

TEST(SetLimit, SaysWhatIsAllowed) {
  EXPECT_EQ(set_one("memory", "0").error().message,
            "limit memory: '0' is not a size above zero such as 128M or 64K");
  EXPECT_EQ(set_one("wall", "-1").error().message,
            "limit wall: '-1' is not a time above zero such as 2s or 250ms");
  EXPECT_EQ(set_one("cpus", "NaN").error().message,
            "limit cpus: 'NaN' is not a number of processors from 0.01, such as 1 or 0.5, to three "
            "decimals");
}

TEST(SetLimit, OpenFilesLeaveRoomForTheSetUpOfACell) {
  EXPECT_TRUE(set_one("open_files", "8").has_value());
  EXPECT_EQ(set_one("open_files", "7").error().message,
            "limit open_files: '7' is not a whole number of at least 8");
  Limits limits;
  limits.open_files = 7;
  const Status checked = check_within(limits, highest_limits());
  ASSERT_FALSE(checked.has_value());
  EXPECT_EQ(checked.error().code, Code::kInvalid);
}

TEST(SetLimit, RefusesAnUnknownNameAndListsTheKnown) {
  for (const std::string_view name : {"", "mem", "Memory", "memory ", "wall_ms", "\x1b[31m"}) {
    const auto wanted = set_one(name, "1");
    ASSERT_FALSE(wanted) << name;
    EXPECT_EQ(wanted.error().code, Code::kInvalid);
    EXPECT_THAT(wanted.error().message, HasSubstr("wall, cpu, memory"));
    EXPECT_EQ(wanted.error().message.find('\x1b'), std::string::npos);
  }
}

TEST(SetLimit, ALaterCallReplaces) {
  LimitOverrides wanted;
  ASSERT_TRUE(set_limit(wanted, "wall", "1s"));
  ASSERT_TRUE(set_limit(wanted, "wall", "2s"));
  EXPECT_EQ(wanted.wall, seconds(2));
}

TEST(ParseLimits, ReadsAList) {
  const auto wanted = parse_limits("wall=2s,memory=128M,cpus=0.5");
  ASSERT_TRUE(wanted);
  LimitOverrides expected;
  expected.wall = seconds(2);
  expected.memory = 128 * kMiB;
  expected.cpus_milli = 500;
  EXPECT_EQ(*wanted, expected);
}

TEST(ParseLimits, RefusesADuplicateName) {
  const auto wanted = parse_limits("wall=2s,memory=1M,wall=2s");
  ASSERT_FALSE(wanted);
  EXPECT_EQ(wanted.error().message, "limit wall is set twice");
}

TEST(ParseLimits, RefusesMalformedLists) {
  for (const std::string_view text :
       {"", ",", "wall", "wall=", "=2s", "wall=2s,", ",wall=2s", "wall=2s,,cpu=1s",
        "wall=2s cpu=1s", "wall:2s", "wall==2s", "wall=2s;cpu=1s", "wall = 2s"}) {
    const auto wanted = parse_limits(text);
    ASSERT_FALSE(wanted) << text;
    EXPECT_EQ(wanted.error().code, Code::kInvalid) << text;
  }
}

TEST(Apply, SetsWhatIsWantedAndKeepsTheRest) {
  const auto wanted = parse_limits("wall=1s,stack=16M");
  ASSERT_TRUE(wanted);
  Limits expected;
  expected.wall = seconds(1);
  expected.stack = 16 * kMiB;
  EXPECT_EQ(apply(Limits{}, *wanted), expected);
  EXPECT_EQ(apply(Limits{}, LimitOverrides{}), Limits{});
}

TEST(Apply, ReachesEveryField) {
  for (const LimitField& field : limit_fields()) {
    const auto wanted = set_one(field.name, "9");
    ASSERT_TRUE(wanted) << field.name;
    const Limits applied = apply(Limits{}, *wanted);
    EXPECT_NE(applied, Limits{}) << field.name;
    EXPECT_EQ(apply(applied, *wanted), applied) << field.name;
  }
}

TEST(CheckWithin, AllowsTheMaximumItself) {
  EXPECT_TRUE(check_within(highest_limits(), highest_limits()));
  EXPECT_TRUE(check_within(Limits{}, Limits{}));
  EXPECT_TRUE(check_within(Limits{}, highest_limits()));
}

TEST(CheckWithin, DeniesEachFieldOneAboveItsMaximum) {
  for (const LimitField& field : limit_fields()) {
    Limits limits = highest_limits();
    if (field.kind == LimitField::Kind::kDuration) {
      limits.*field.duration += nanoseconds(1);
    } else {
      limits.*field.number += 1;
    }
    const Status status = check_within(limits, highest_limits());
    ASSERT_FALSE(status) << field.name;
    EXPECT_EQ(status.error().code, Code::kDenied) << field.name;
    EXPECT_THAT(status.error().message, HasSubstr("limit " + std::string(field.name) + ": "));
  }
}

TEST(CheckWithin, SaysBothValues) {
  Limits limits;
  limits.memory = 32 * kGiB;
  EXPECT_EQ(check_within(limits, highest_limits()).error().message,
            "limit memory: 32.0 GiB is over the maximum of 16.0 GiB");
  limits = {};
  limits.wall = hours(2);
  EXPECT_EQ(check_within(limits, highest_limits()).error().message,
            "limit wall: 7200.00 s is over the maximum of 3600.00 s");
  limits = {};
  limits.cpus_milli = 64'500;
  EXPECT_EQ(check_within(limits, highest_limits()).error().message,
            "limit cpus: 64.5 is over the maximum of 64");
}

TEST(CheckWithin, NeighboursDoNotReadTheSame) {
  Limits limits;
  limits.memory = 16 * kGiB + 1;
  EXPECT_EQ(check_within(limits, highest_limits()).error().message,
            "limit memory: 17179869185 B is over the maximum of 17179869184 B");
}

TEST(CheckWithin, RefusesZeroAndNegativeFields) {
  for (const LimitField& field : limit_fields()) {
    Limits limits;
    if (field.kind == LimitField::Kind::kDuration) {
      limits.*field.duration = nanoseconds(0);
    } else {
      limits.*field.number = 0;
    }
    const Status status = check_within(limits, highest_limits());
    ASSERT_FALSE(status) << field.name;
    EXPECT_EQ(status.error().code, Code::kInvalid) << field.name;
  }
  Limits negative;
  negative.cpu = seconds(-1);
  EXPECT_EQ(check_within(negative, highest_limits()).error().code, Code::kInvalid);
}

TEST(CheckWithin, NamesTheFirstField) {
  Limits limits;
  limits.stack = std::numeric_limits<std::uint64_t>::max();
  limits.cpu = hours(5);
  EXPECT_THAT(check_within(limits, highest_limits()).error().message, HasSubstr("limit cpu"));
}

}  // namespace
}  // namespace belljar
