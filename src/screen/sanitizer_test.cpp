#include "screen/sanitizer.h"

#include <gtest/gtest.h>

#include <random>

#include "base/text.h"

namespace belljar::screen {
namespace {

using namespace std::string_view_literals;

struct Case {
  std::string_view input;
  std::string_view output;
};

TEST(Sanitizer, StripsWhatSteersATerminal) {
  for (const Case& c :
       std::vector<Case>{{"plain text, é and 🎉\n\ttab\r\n", "plain text, é and 🎉\n\ttab\r\n"},
                         {"\x1b[31mred\x1b[0m", "red"},
                         {"\x1b[38;5;1;2mx", "x"},
                         {"\x1b[?25l\x1b[2J\x1b[1;1Hx", "x"},
                         {"\x1b[ qx", "x"},
                         {"a\x1b]0;title\x07z", "az"},
                         {"a\x1b]0;title\x1b\\z", "az"},
                         {"a\x1b]52;c;aGk=\x1b\\z", "az"},
                         {"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"},
                         {"a\x1bPq#0;2;0\x1b\\z", "az"},
                         {"a\x1bXsos\x1b\\z\x1b^pm\x1b\\z\x1b_apc\x1b\\z", "azzz"},
                         {"\x1b"
                          "cx\x1b"
                          "7\x1b(Bx\x1b#8x",
                          "xxx"},
                         {"a\xc2\x9b"
                          "31mz",
                          "az"},
                         {"a\x9b"
                          "31mz",
                          "az"},
                         {"a\xc2\x9d"
                          "0;t\xc2\x9cz",
                          "az"},
                         {"a\xc2\x85z\x84z", "azz"},
                         {"a\x1b]0;title\nz", "a\nz"},      // without an end
                         {"a\x1b]0;title\x1b[31mz", "az"},  // ended by another
                         {"a\x1b[31\nz", "a\nz"},
                         {"a\x1b\x1b[31mz", "az"},
                         {"a\x1b\nz", "a\nz"},
                         {"a\x1b[3é", "aé"},
                         {"a\x1b", "a"},
                         {"a\x1b[3", "a"},
                         {"a\x1b]0;t", "a"},
                         {"\x1b[\x1b[31mx", "x"},
                         {"\x1b]\x9b"
                          "31mx",
                          "x"}}) {
    EXPECT_EQ(sanitize(c.input, {}), c.output) << escape_for_terminal(c.input);
  }
}

TEST(Sanitizer, MakesUtf8) {
  for (const Case& c : std::vector<Case>{{"\xff", "\xef\xbf\xbd"},
                                         {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},
                                         {"\xed\xa0\x80", "\xef\xbf\xbd"},
                                         {"\xf0\x9f\x8e", "\xef\xbf\xbd"},
                                         {"a\xe2\x82", "a\xef\xbf\xbd"},
                                         {"a\0b"sv, "a\0b"sv}}) {
    const std::string out = sanitize(c.input, {.c1 = false});
    EXPECT_TRUE(is_valid_utf8(out));
    EXPECT_EQ(out, repair_utf8(c.input));
  }
}

TEST(Sanitizer, StripsOnlyWhatItIsAskedTo) {
  const std::string_view all =
      "\x1b[1mA\x1b]0;t\x07"
      "B\x1b"
      "cC\xc2\x85"
      "D\x84";
  const SanitizerOptions none{.csi = false, .strings = false, .escapes = false, .c1 = false};
  EXPECT_EQ(sanitize(all, none),
            "\x1b[1mA\x1b]0;t\x07"
            "B\x1b"
            "cC\xc2\x85"
            "D\xef\xbf\xbd");
  SanitizerOptions some = none;
  some.csi = true;
  EXPECT_EQ(sanitize(all, some),
            "A\x1b]0;t\x07"
            "B\x1b"
            "cC\xc2\x85"
            "D\xef\xbf\xbd");
  some = none;
  some.strings = true;
  EXPECT_EQ(sanitize(all, some),
            "\x1b[1mAB\x1b"
            "cC\xc2\x85"
            "D\xef\xbf\xbd");
  EXPECT_EQ(sanitize("a\x1b[3", none), "a");  // not finished
  some = none;
  some.c1 = true;
  EXPECT_EQ(sanitize("a\x1b]0;t\xc2\x9cz\x9b"
                     "1mz",
                     some),
            "a\x1b]0;t\x1b\\zz");
}

TEST(Sanitizer, SecureSandbox) {
  const SanitizerOptions options = secure_sandbox_sanitizer();
  EXPECT_EQ(sanitize("\x1b[31mred\x1b[0m\x1bM", options), "red");
  EXPECT_EQ(sanitize("\x1b]0;title\x07", options), "0;title\x07");
  const std::string full(102400, 'x');
  EXPECT_EQ(sanitize(full, options), full);
  EXPECT_EQ(sanitize(full + "y", options), full + "\n... [output truncated]");
  std::string wide;
  for (int i = 0; i < 102400; ++i) wide += "é";
  EXPECT_EQ(sanitize(wide, options), wide);
  EXPECT_EQ(sanitize(wide + "é", options), wide + "\n... [output truncated]");
  EXPECT_EQ(sanitize(full + "\x1b[0m", options), full);  // what is stripped does not count
}

TEST(Sanitizer, ACutSplitsNothing) {
  SanitizerOptions keep{.csi = false, .max_characters = 4, .note = "!"};
  EXPECT_EQ(sanitize("abcd", keep), "abcd");
  EXPECT_EQ(sanitize("abcde", keep), "abcd!");
  EXPECT_EQ(sanitize("abc🎉é", keep), "abc🎉!");
  EXPECT_EQ(sanitize("abc\r\n", keep), "abc!");
  EXPECT_EQ(sanitize("ab\r\n", keep), "ab\r\n");
  EXPECT_EQ(sanitize("abc\rx", keep), "abc\r!");
  EXPECT_EQ(sanitize("ab\x1b[1mx", keep), "ab!");
  EXPECT_EQ(sanitize("\x1b[1mx", keep), "\x1b[1m!");
  EXPECT_EQ(sanitize("abcd\x1b[1", keep), "abcd");
  EXPECT_EQ(sanitize("", {.max_characters = 0}), "");
  Sanitizer sanitizer(keep);
  EXPECT_EQ(sanitizer.feed("abcde"), "abcd!");
  EXPECT_TRUE(sanitizer.truncated());
  EXPECT_EQ(sanitizer.feed("more"), "");
  EXPECT_EQ(sanitizer.finish(), "");
}

TEST(Sanitizer, ALongSequenceTakesNoMemoryAndIsThrownAway) {
  const SanitizerOptions keep{.strings = false, .escapes = false};
  const std::string payload(100'000, 'x');
  EXPECT_EQ(sanitize("a\x1b]0;" + payload + "\x07z", keep), "az");
}

// Pieces that are likely to meet at a boundary.
std::string random_text(std::mt19937& random) {
  constexpr std::string_view kParts[] = {
      "a",     "é",    "🎉",       "\n",   "\r",       "\r\n",         "\x1b", "[",
      "]",     "P",    "0;",       "31m",  "\x07",     "\x1b\\",       "\x9b", "\xc2\x9b",
      "\xc2",  "\x9d", "\xc2\x9c", "\xff", "\xe2\x82", "\xf0\x9f\x8e", "\x18", "\x1b[",
      "\x1b]", "c",    "\\",       " ",    "\x7f",     "\xed\xa0\x80"};
  std::string text;
  const std::size_t count = random() % 40;
  for (std::size_t i = 0; i < count; ++i) text += kParts[random() % std::size(kParts)];
  return text;
}

SanitizerOptions random_options(std::mt19937& random) {
  SanitizerOptions options{.csi = random() % 2 == 0,
                           .strings = random() % 2 == 0,
                           .escapes = random() % 2 == 0,
                           .c1 = random() % 2 == 0};
  if (random() % 2 == 0) options.max_characters = random() % 30;
  return options;
}

TEST(SanitizerProperties, AnyChunkingGivesTheSameValidText) {
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    const std::string text = random_text(random);
    const SanitizerOptions options = random_options(random);
    const std::string whole = sanitize(text, options);
    Sanitizer sanitizer(options);
    std::string pieces;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t length = random() % 4;
      pieces += sanitizer.feed(std::string_view(text).substr(at, length));
      ASSERT_TRUE(is_valid_utf8(pieces));
      at += length;
    }
    pieces += sanitizer.finish();
    ASSERT_EQ(pieces, whole) << escape_for_terminal(text);
    ASSERT_TRUE(is_valid_utf8(whole));
  }
}

TEST(SanitizerProperties, NothingStrippedIsLeftAndTwiceIsOnce) {
  std::mt19937 random(2);
  for (int round = 0; round < 20'000; ++round) {
    const std::string text = random_text(random);
    const std::string once = sanitize(text, {});
    ASSERT_EQ(once.find('\x1b'), std::string::npos) << escape_for_terminal(text);
    for (std::size_t at = 0; (at = once.find('\xc2', at)) != std::string::npos; ++at) {
      ASSERT_GE(static_cast<unsigned char>(once[at + 1]), 0xa0) << escape_for_terminal(text);
    }
    ASSERT_EQ(sanitize(once, {}), once) << escape_for_terminal(text);
  }
}

}  // namespace
}  // namespace belljar::screen
