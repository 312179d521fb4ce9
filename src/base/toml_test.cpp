#include "base/toml.h"

#include <gtest/gtest.h>

#include <string>

#include "base/text.h"

namespace belljar {
namespace {

std::string refusal_of(std::string_view text) {
  const Result<toml::table> parsed = parse_toml(text);
  return parsed ? "" : parsed.error().message;
}

std::string utf8(char32_t character) {
  const auto tail = [character](int shift) {
    return static_cast<char>(0x80 | ((character >> shift) & 0x3F));
  };
  if (character < 0x80) return {static_cast<char>(character)};
  if (character < 0x800) return {static_cast<char>(0xC0 | (character >> 6)), tail(0)};
  if (character < 0x10000) return {static_cast<char>(0xE0 | (character >> 12)), tail(6), tail(0)};
  return {static_cast<char>(0xF0 | (character >> 18)), tail(12), tail(6), tail(0)};
}

TEST(Toml, ReadsWhatIsWellFormed) {
  const Result<toml::table> table = parse_toml(
      "\xEF\xBB\xBF"
      "a = 'é\t☃'\r\n# \U0001F600\n[b]\n");
  ASSERT_TRUE(table.has_value());
  EXPECT_EQ((*table)["a"].value_or(std::string()), "é\t☃");
  EXPECT_TRUE(table->contains("b"));
  EXPECT_TRUE(parse_toml("").has_value());
}

TEST(Toml, NamesTheLineOfWhatTheParserRefuses) {
  EXPECT_TRUE(refusal_of("a = 1\nb = \n").starts_with("line 2: "));
  EXPECT_FALSE(refusal_of("[`").empty());
}

TEST(Toml, BytesThatNoFileHoldsNeverReachTheParser) {
  for (const std::string_view bytes :
       {"\xFF", "\xC3", "\xE2\x98", "\xED\xA0\x80", "\xC0\x80", "\xF4\x90\x80\x80"}) {
    EXPECT_EQ(refusal_of("a = 1\nb = \"" + std::string(bytes) + "\"\n"), "line 2: not valid UTF-8");
    EXPECT_EQ(refusal_of("# " + std::string(bytes)), "line 1: not valid UTF-8");
  }
  using std::string_view_literals::operator""sv;
  for (const std::string_view bytes : {"\0"sv, "\x1b"sv, "\x7f"sv, "\r "sv, "\xC2\x85"sv}) {
    EXPECT_EQ(refusal_of("\n# " + std::string(bytes) + " \n"), "line 2: a control character");
  }
}

// Under the sanitizers this also shows that no character is undefined behaviour to the parser.
TEST(Toml, EveryCharacterIsReadOrRefusedWhereverItStands) {
  constexpr char32_t kPastBmp = 0x10000;  // a sample of what is beyond it will do
  for (char32_t character = 0xA0; character < 0x110000;
       character += character < kPastBmp ? 1 : 0xFB) {
    if (character == 0xD800) character = 0xE000;
    const std::string text = utf8(character);
    const Result<toml::table> quoted = parse_toml("a = \"" + text + "\"");
    ASSERT_TRUE(quoted.has_value()) << std::hex << static_cast<unsigned>(character);
    ASSERT_EQ((*quoted)["a"].value_or(std::string()), text);
    // A key or a value may hold none; some of these are white space to the parser.
    for (const std::string& bare : {text + " = 1", "a = " + text, "a = 1" + text, "[" + text + "]",
                                    "a = [1," + text + "]", "a = \"\"\"\\" + text + "\"\"\""}) {
      (void)parse_toml(bare).has_value();
    }
  }
  EXPECT_FALSE(parse_toml("é = 1").has_value());
  EXPECT_FALSE(parse_toml("a = é").has_value());
}

}  // namespace
}  // namespace belljar
