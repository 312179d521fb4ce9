#include "base/text.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace belljar {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

std::string utf8(char32_t code) {
  std::string out;
  const auto put = [&](char32_t byte) {
    out += static_cast<char>(static_cast<unsigned char>(byte));
  };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
  return out;
}

bool is_surrogate(char32_t code) {
  return code >= 0xd800 && code <= 0xdfff;
}

// Written from the list of what must never reach a terminal, not from the implementation.
bool must_be_escaped(char32_t code) {
  const bool c0 = code < 0x20 && code != '\n' && code != '\t';
  const bool c1 = code >= 0x7f && code <= 0x9f;
  const bool bidi = code == 0x61c || code == 0x200e || code == 0x200f ||
                    (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
  const bool zero_width = (code >= 0x200b && code <= 0x200d) || code == 0x2060 || code == 0xfeff;
  const bool tag = code >= 0xe0000 && code <= 0xe007f;
  return c0 || c1 || bidi || zero_width || tag;
}

void expect_harmless(std::string_view text) {
  ASSERT_TRUE(is_valid_utf8(text));
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte == '\r') {
      ASSERT_TRUE(i + 1 < text.size() && text[i + 1] == '\n') << "carriage return at " << i;
      continue;
    }
    ASSERT_FALSE(byte < 0x80 && must_be_escaped(byte)) << int{byte} << " at " << i;
  }
  for (char32_t code = 0x80; code < 0xe0080; ++code) {
    if (code == 0x2100) code = 0xfe00;
    if (code == 0xff00) code = 0xe0000;
    if (!must_be_escaped(code)) continue;
    ASSERT_EQ(text.find(utf8(code)), std::string_view::npos) << std::hex << std::uint32_t{code};
  }
}

const std::vector<std::string>& corpus() {
  static const std::vector<std::string> texts = {
      "",
      "plain text\nsecond line\tand a tab\n",
      "dos\r\nlines\r\n",
      "progress\r 10%\r 20%\r\r\n\r",
      "\x1b[31mred\x1b[0m \x1b]52;c;AAAA\x07 \x1b]0;title\x1b\\ \x1b"
      "c \x1bP$q\x1b\\",
      "\x9b"
      "31m 8-bit CSI, \x9d"
      "0;t\x9c",
      "\xc2\x9b"
      "31m CSI as UTF-8 \xc2\x80 \xc2\x9f",
      "\x1b]8;;http://example.com\x1b\\link\x1b]8;;\x1b\\ unterminated \x1b]0;",
      "nul \0 bell \a back \b form \f vertical \v delete \x7f"s,
      "é ü 漢字 🙂 𝄞 \xf4\x8f\xbf\xbf",
      "family 👨‍👩‍👧 stays readable in pieces",
      "bidi \u202e\u2066abc\u2069\u202c \u200e\u200f\u061c",
      "zero\u200bwidth\u200c\u200d\u2060\ufeff",
      "tags \U000e0001\U000e0041\U000e007f",
      "\xff\xfe bad \xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80 \xf8\x88\x80\x80\x80",
      "cut \xe2\x82",
      "cut \xf0\x9f\x98",
      "cut \xc3",
      "\xe2\x82\r",
      "\r",
      "\xe2\r\n\x82\xac",
      "\\x1b is text and stays text",
  };
  return texts;
}

std::string random_bytes(std::mt19937& random, std::size_t length) {
  // Mostly bytes that start, continue or break something.
  constexpr std::string_view kPool =
      "a "
      "\n\t\r\r\n\x1b\x7f\x80\x9b\xbf\xc2\xc2\x9f\xe2\x80\x8b\xae\xed\xa0\xf0\x9f\x98\x80\xf3\xa0"
      "\x81"
      "\xf4\x90\xff\xfe\xef\xbb\xbf\xd8\x9c\\x";
  std::string out;
  for (std::size_t i = 0; i < length; ++i) out += kPool[random() % kPool.size()];
  return out;
}

TEST(Utf8, KnowsWhatIsWellFormed) {
  for (const std::string_view text :
       {""sv, "abc"sv, "\0"sv, "é"sv, "\xc2\x80"sv, "\xdf\xbf"sv, "\xe0\xa0\x80"sv,
        "\xed\x9f\xbf"sv, "\xee\x80\x80"sv, "\xef\xbf\xbf"sv, "\xf0\x90\x80\x80"sv,
        "\xf4\x8f\xbf\xbf"sv}) {
    EXPECT_TRUE(is_valid_utf8(text)) << text;
    EXPECT_EQ(repair_utf8(text), text);
  }
}

TEST(Utf8, KnowsWhatIsIllFormed) {
  for (const std::string_view text :
       {"\x80"sv, "\xbf"sv, "\xc0\x80"sv, "\xc1\xbf"sv, "\xc3"sv, "\xc3("sv, "\xe0\x9f\xbf"sv,
        "\xe2\x82"sv, "\xed\xa0\x80"sv, "\xed\xbf\xbf"sv, "\xf0\x8f\xbf\xbf"sv, "\xf0\x9f\x98"sv,
        "\xf4\x90\x80\x80"sv, "\xf5\x80\x80\x80"sv, "\xfe"sv, "\xff"sv, "a\0b\xff"sv}) {
    EXPECT_FALSE(is_valid_utf8(text));
    EXPECT_TRUE(is_valid_utf8(repair_utf8(text)));
  }
}

TEST(Utf8, EveryCharacterIsWellFormedAndNothingElseIs) {
  for (char32_t code = 0; code <= 0x110000; code += code < 0x3000 ? 1 : 37) {
    EXPECT_EQ(is_valid_utf8(utf8(code)), !is_surrogate(code) && code <= 0x10ffff)
        << std::hex << std::uint32_t{code};
  }
}

TEST(RepairUtf8, ReplacesEachMaximalPartOnce) {
  const struct {
    std::string_view bytes;
    std::string_view text;
  } cases[] = {
      {"a\xff"
       "b",
       "a�b"},
      {"\xff\xfe", "��"},
      {"\xe2\x82", "�"},  // one part, however long
      {"\xe2\x82(", "�("},
      {"\xf0\x9f\x98", "�"},
      {"\xf0\x9f\x98\xf0\x9f\x98\x80", "�😀"},
      {"\xc0\xaf", "��"},            // overlong: the lead can begin nothing
      {"\xed\xa0\x80", "���"},       // a surrogate
      {"\xf4\x90\x80\x80", "����"},  // above U+10FFFF
      {"\x80\xe2\x82\xac\x80", "�€�"},
  };
  for (const auto& c : cases) EXPECT_EQ(repair_utf8(c.bytes), c.text);
}

TEST(RepairUtf8, IsAlwaysValidAndChangesNothingTwice) {
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    const std::string repaired = repair_utf8(random_bytes(random, random() % 24));
    EXPECT_TRUE(is_valid_utf8(repaired));
    EXPECT_EQ(repair_utf8(repaired), repaired);
  }
}

TEST(Base64, EncodesTheVectorsOfRfc4648) {
  const struct {
    std::string_view bytes;
    std::string_view text;
  } cases[] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
      {"\xfb\xff\xfe"sv, "+//+"},
      {"\0\0"sv, "AAA="},
  };
  for (const auto& c : cases) EXPECT_EQ(base64_encode(c.bytes), c.text);
  for (const auto& c : cases) EXPECT_EQ(base64_decode(c.text), c.bytes);
  for (const std::string_view wrong :
       {"A", "AA", "AAA", "A===", "AA=A", "AB==", "AAB=", "A\nAA", "AA==AA==", "-_-_"}) {
    EXPECT_FALSE(base64_decode(wrong)) << wrong;
  }
}

TEST(EscapeForTerminal, ShowsWhatWouldAct) {
  const struct {
    std::string_view bytes;
    std::string_view text;
  } cases[] = {
      {"\x1b[31m", "\\x1b[31m"},
      {"\0"sv, "\\x00"},
      {"\a\b\v\f", "\\x07\\x08\\x0b\\x0c"},
      {"\x7f", "\\x7f"},
      {"\x9b"
       "2J",
       "\\x9b2J"},
      {"\xc2\x9b"
       "2J",
       "\\u009b2J"},
      {"\u202e", "\\u202e"},
      {"\u200b\ufeff", "\\u200b\\ufeff"},
      {"\u2028", "\\u2028"},
      {"\U000e0041", "\\U000e0041"},
      {"\xff", "\\xff"},
      {"\xe2\x82", "\\xe2\\x82"},
      {"10%\r20%", "10%\\r20%"},
      {"\r\r\n", "\\r\r\n"},
      {"end\r", "end\\r"},
  };
  for (const auto& c : cases) EXPECT_EQ(escape_for_terminal(c.bytes), c.text);
}

TEST(EscapeForTerminal, LeavesOrdinaryTextAlone) {
  for (const std::string_view text :
       {"a\tb\nc\r\n", "naïve 漢字 🙂 e\u0301", "\\x1b", "\u00a0\u00ae\u200a\u2010\u2030\ufffd"}) {
    EXPECT_EQ(escape_for_terminal(text), text);
  }
}

TEST(EscapeForTerminal, EscapesEveryCharacterOfTheList) {
  for (char32_t code = 0; code <= 0x10ffff; ++code) {
    if (!must_be_escaped(code)) continue;
    const std::string shown = escape_for_terminal(utf8(code));
    EXPECT_EQ(shown.front(), '\\') << std::hex << std::uint32_t{code};
    EXPECT_TRUE(std::ranges::all_of(shown, [](char c) { return c >= ' ' && c <= '~'; }));
  }
}

TEST(EscapeForTerminal, ChangesNothingTwice) {
  for (const std::string& text : corpus()) {
    const std::string once = escape_for_terminal(text);
    EXPECT_EQ(escape_for_terminal(once), once);
  }
}

TEST(EscapeForTerminal, TheCorpusIsHarmlessAfterwards) {
  for (const std::string& text : corpus()) expect_harmless(escape_for_terminal(text));
}

TEST(EscapeForTerminal, RandomBytesAreHarmlessAfterwards) {
  std::mt19937 random(2);
  for (int i = 0; i < 300; ++i) expect_harmless(escape_for_terminal(random_bytes(random, 40)));
}

TEST(EscapeForTerminal, AMillionCombiningMarksAndTabsPass) {
  std::string marks = "e";
  for (int i = 0; i < 1'000'000; ++i) marks += "\u0301";
  EXPECT_EQ(escape_for_terminal(marks), marks);
  const std::string tabs(1'000'000, '\t');
  EXPECT_EQ(escape_for_terminal(tabs), tabs);
}

std::string in_pieces(std::string_view text, const std::vector<std::size_t>& cuts) {
  TerminalEscaper escaper;
  std::string out;
  std::size_t from = 0;
  for (const std::size_t cut : cuts) {
    out += escaper.feed(text.substr(from, cut - from));
    from = cut;
  }
  out += escaper.feed(text.substr(from));
  return out += escaper.finish();
}

TEST(TerminalEscaper, EverySplitInThreeGivesTheSameText) {
  for (const std::string& text : corpus()) {
    const std::string whole = escape_for_terminal(text);
    for (std::size_t first = 0; first <= text.size(); ++first) {
      for (std::size_t second = first; second <= text.size(); ++second) {
        ASSERT_EQ(in_pieces(text, {first, second}), whole) << first << " " << second;
      }
    }
  }
}

TEST(TerminalEscaper, ByteByByteGivesTheSameText) {
  std::mt19937 random(3);
  std::vector<std::string> texts = corpus();
  for (int i = 0; i < 500; ++i) texts.push_back(random_bytes(random, random() % 64));
  for (const std::string& text : texts) {
    std::vector<std::size_t> cuts;
    for (std::size_t i = 0; i < text.size(); ++i) cuts.push_back(i);
    EXPECT_EQ(in_pieces(text, cuts), escape_for_terminal(text));
  }
}

TEST(TerminalEscaper, RandomSplitsGiveTheSameText) {
  std::mt19937 random(4);
  for (int i = 0; i < 2000; ++i) {
    const std::string text = random_bytes(random, 1 + random() % 48);
    std::vector<std::size_t> cuts;
    for (int k = 0; k < 5; ++k) cuts.push_back(random() % (text.size() + 1));
    std::ranges::sort(cuts);
    ASSERT_EQ(in_pieces(text, cuts), escape_for_terminal(text));
  }
}

TEST(TerminalEscaper, EveryPieceIsHarmlessByItself) {
  for (const std::string& text : corpus()) {
    TerminalEscaper escaper;
    for (const char c : text) {
      const std::string piece = escaper.feed(std::string_view(&c, 1));
      EXPECT_TRUE(is_valid_utf8(piece));
      EXPECT_EQ(piece.find('\x1b'), std::string::npos);
    }
  }
}

TEST(TerminalEscaper, HoldsBackOnlyWhatIsNotDecided) {
  TerminalEscaper escaper;
  EXPECT_EQ(escaper.feed("name? "), "name? ");
  EXPECT_EQ(escaper.feed("\xe2"), "");
  EXPECT_EQ(escaper.feed("\x82"), "");
  EXPECT_EQ(escaper.feed("\xac"), "€");
  EXPECT_EQ(escaper.feed("\r"), "");
  EXPECT_EQ(escaper.feed("\n"), "\r\n");
  EXPECT_EQ(escaper.feed("\xe2\x82"), "");
  EXPECT_EQ(escaper.finish(), "\\xe2\\x82");
  EXPECT_EQ(escaper.finish(), "");
}

TEST(EscapeJson, WritesUtf16EscapesOfTheSameCharacters) {
  const struct {
    std::string_view json;
    std::string_view text;
  } cases[] = {
      {R"({"a":"plain é 🙂"})", R"({"a":"plain é 🙂"})"},
      {"\"\x7f\"", R"("\u007f")"},
      {"\"\u009b\"", R"("\u009b")"},
      {"\"\u202e\"", R"("\u202e")"},
      {"\"\U000e0041\"", R"("\udb40\udc41")"},
      {"[1,\"\\u001b\"]\n", "[1,\"\\u001b\"]\n"},
  };
  for (const auto& c : cases) EXPECT_EQ(escape_json_for_terminal(c.json), c.text);
}

TEST(Quote, IsOneHarmlessLine) {
  EXPECT_EQ(quote("main.py"), "'main.py'");
  EXPECT_EQ(quote(""), "''");
  EXPECT_EQ(quote("a\nb\tc\r\n\x1b\xff"), "'a\\nb\\tc\\r\\n\\x1b\\xff'");
  EXPECT_EQ(quote(std::string(80, 'x')), "'" + std::string(80, 'x') + "'");
  EXPECT_EQ(quote(std::string(81, 'x')), "'" + std::string(80, 'x') + "…'");
}

TEST(CutUtf8, NeverSplitsACharacter) {
  const struct {
    std::string_view bytes;
    std::size_t limit;
    std::string_view cut;
  } cases[] = {
      {"abc", 3, "abc"},
      {"abc", 2, "ab"},
      {"abc", 0, ""},
      {"é", 1, ""},
      {"aé", 2, "a"},
      {"aé", 3, "aé"},
      {"a€b", 2, "a"},
      {"a€b", 3, "a"},
      {"a€b", 4, "a€"},
      {"😀", 3, ""},
      {"a😀", 4, "a"},
      {"a😀b", 5, "a😀"},
      {"\x80\x80\x80\x80\x80", 3, "\x80\x80\x80"},  // nothing to keep whole
      {"a\xe2\x82(", 3, "a\xe2\x82"},
  };
  for (const auto& c : cases) EXPECT_EQ(cut_utf8(c.bytes, c.limit), c.cut) << c.bytes << c.limit;
}

TEST(CutUtf8, ValidTextStaysValidAtEveryLimit) {
  const std::string_view text = "aé€😀 漢字\r\n🙂z";
  for (std::size_t limit = 0; limit <= text.size() + 1; ++limit) {
    const std::string_view cut = cut_utf8(text, limit);
    EXPECT_TRUE(is_valid_utf8(cut)) << limit;
    EXPECT_LE(cut.size(), limit);
    EXPECT_GE(cut.size() + 3, std::min(limit, text.size()));
  }
}

TEST(DropIncompleteEnd, DropsOnlyTheBeginningOfACharacter) {
  const struct {
    std::string_view bytes;
    std::string_view rest;
  } cases[] = {
      {"", ""},
      {"abc", "abc"},
      {"é", "é"},
      {"a\xc3", "a"},
      {"\xe2\x82", ""},
      {"€", "€"},
      {"a\xf0\x9f\x98", "a"},
      {"a\xff", "a\xff"},
      {"a\x80", "a\x80"},
      {"\xe0\x80", "\xe0\x80"},
      {"\xf4\x90", "\xf4\x90"},
  };
  for (const auto& c : cases) EXPECT_EQ(drop_incomplete_end(c.bytes), c.rest) << c.bytes;
}

TEST(DropIncompleteEnd, EveryCutOfValidTextBecomesValid) {
  const std::string_view text = "aé€😀 漢字🙂z";
  for (std::size_t size = 0; size <= text.size(); ++size) {
    EXPECT_TRUE(is_valid_utf8(drop_incomplete_end(text.substr(0, size)))) << size;
  }
}

TEST(Words, LowerCaseIsOfAsciiOnly) {
  EXPECT_EQ(ascii_lower("AZaz@[\xc3\x84"), "azaz@[\xc3\x84");
}

TEST(Words, ACommaListHasNoBlanksAndNoEmptyParts) {
  EXPECT_EQ(comma_list(" a,b ,, c d ,"), (std::vector<std::string_view>{"a", "b", "c d"}));
  EXPECT_TRUE(comma_list("").empty());
  EXPECT_TRUE(comma_list(" , ").empty());
  EXPECT_EQ(trim_blanks("\ta "), "\ta");
}

}  // namespace
}  // namespace belljar
