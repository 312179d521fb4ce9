#include "runtime/catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace belljar::runtime {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

std::string manifest_text(std::string_view name,
                          std::string_view aliases,
                          std::string_view extension) {
  const std::string x(extension);
  return "name = \"" + std::string(name) + "\"\ntitle = \"Toy\"\naliases = [" +
         std::string(aliases) + "]\nextensions = [\"" + x +
         "\"]\npackage = \"toy\"\nversion = [\"{tool}\"]\n"
         "programs.tool = [\"/usr/bin/toy\"]\nrun.argv = [\"{tool}\", \"{entry}\", \"{args}\"]\n"
         "hello.file = \"hello" +
         x + "\"\nhello.source = \"hello\"\n";
}

class OperatorCatalog : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/belljar-catalog-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override { fs::remove_all(directory_); }

  void write(const std::string& file, const std::string& text) const {
    std::ofstream(directory_ / file) << text;
  }
  [[nodiscard]] Result<Catalog> open() const { return Catalog::open(directory_.string()); }

  fs::path directory_;
};

TEST(Catalog, KnowsTheBuiltInLanguages) {
  const auto catalog = Catalog::open("");
  ASSERT_TRUE(catalog.has_value());
  EXPECT_THAT(catalog->names(),
              ElementsAre("bash", "c", "cpp", "go", "java", "javascript", "lua", "perl", "php",
                          "python", "r", "ruby", "rust", "typescript"));
}

TEST(Catalog, FindsEveryBuiltInByItsWordsAndExtensions) {
  const auto catalog = Catalog::open("");
  ASSERT_TRUE(catalog.has_value());
  for (const std::string& name : catalog->names()) {
    const auto manifest = catalog->by_name(name);
    ASSERT_TRUE(manifest.has_value()) << name;
    EXPECT_EQ(manifest->name, name);
    for (const std::string& alias : manifest->aliases) {
      const auto found = catalog->by_name(alias);
      ASSERT_TRUE(found.has_value()) << alias;
      EXPECT_EQ(found->name, name);
    }
    for (const std::string& extension : manifest->extensions) {
      const auto found = catalog->by_file("some.dir/file" + extension);
      ASSERT_TRUE(found.has_value()) << extension;
      EXPECT_EQ(found->name, name);
    }
    EXPECT_EQ(catalog->by_file(manifest->hello.file)->name, name);
    EXPECT_THAT(manifest->hello.source, HasSubstr("Hello from "));
  }
}

TEST(Catalog, BuiltInLimitsAreWithinTheMaximum) {
  const auto catalog = Catalog::open("");
  ASSERT_TRUE(catalog.has_value());
  for (const std::string& name : catalog->names()) {
    const auto manifest = catalog->by_name(name);
    ASSERT_TRUE(manifest.has_value()) << name;
    EXPECT_TRUE(check_within(apply({}, manifest->run.limits), highest_limits())) << name;
    if (!manifest->compile) continue;
    EXPECT_TRUE(check_within(apply({}, manifest->compile->limits), highest_limits())) << name;
  }
}

TEST(Catalog, SaysWhatThereIsInstead) {
  const auto catalog = Catalog::open("");
  ASSERT_TRUE(catalog.has_value());
  const auto by_name = catalog->by_name("cobol");
  ASSERT_FALSE(by_name.has_value());
  EXPECT_EQ(by_name.error().code, Code::kNotFound);
  EXPECT_THAT(by_name.error().message, HasSubstr("'cobol'; there are bash, c, cpp, go"));

  const auto by_file = catalog->by_file("a/b.cob");
  ASSERT_FALSE(by_file.has_value());
  EXPECT_EQ(by_file.error().code, Code::kNotFound);
  EXPECT_THAT(by_file.error().message, HasSubstr("'.cob'"));
  EXPECT_FALSE(catalog->by_file("HELLO.PY").has_value());
  EXPECT_THAT(catalog->by_file("Makefile").error().message, HasSubstr("has no extension"));
}

TEST_F(OperatorCatalog, AddsARuntime) {
  write("toy.toml", manifest_text("toy", "\"plaything\"", ".toy"));
  write("README", "not a manifest");
  const auto catalog = open();
  ASSERT_TRUE(catalog.has_value()) << catalog.error().message;
  EXPECT_EQ(catalog->names().size(), 15U);
  EXPECT_EQ(catalog->by_name("toy")->title, "Toy");
  EXPECT_EQ(catalog->by_name("plaything")->name, "toy");
  EXPECT_EQ(catalog->by_file("x.toy")->name, "toy");
  EXPECT_EQ(catalog->by_name("python")->title, "Python");
}

TEST_F(OperatorCatalog, ReplacesABuiltInWithAllItsWords) {
  write("python.toml", manifest_text("python", "", ".pyx"));
  const auto catalog = open();
  ASSERT_TRUE(catalog.has_value()) << catalog.error().message;
  EXPECT_EQ(catalog->names().size(), 14U);
  EXPECT_EQ(catalog->by_name("python")->title, "Toy");
  EXPECT_FALSE(catalog->by_name("python3").has_value());
  EXPECT_FALSE(catalog->by_file("x.py").has_value());
  EXPECT_EQ(catalog->by_file("x.pyx")->title, "Toy");
}

TEST_F(OperatorCatalog, TakesAnExtensionButNoName) {
  write("pypy.toml", manifest_text("pypy", "\"python\", \"py\"", ".py"));
  const auto catalog = open();
  ASSERT_TRUE(catalog.has_value()) << catalog.error().message;
  EXPECT_EQ(catalog->by_file("x.py")->name, "pypy");
  EXPECT_EQ(catalog->by_name("py")->name, "pypy");
  EXPECT_EQ(catalog->by_name("python")->name, "python");
}

TEST_F(OperatorCatalog, RefusesTwoClaimsToOneWord) {
  const std::pair<std::string, std::string> claims[] = {
      {manifest_text("one", "", ".x"), "'.x' is already the runtime a's"},
      {manifest_text("b", "\"a\"", ".y"), "'a' is already the runtime a's"},
      {manifest_text("aa", "", ".y"), "'aa' is already the runtime a's"},
      {manifest_text("a", "", ".y"), "'a' is already the runtime a's"},
  };
  write("a.toml", manifest_text("a", "\"aa\"", ".x"));
  for (const auto& [text, message] : claims) {
    write("b.toml", text);
    const auto catalog = open();
    ASSERT_FALSE(catalog.has_value()) << message;
    EXPECT_EQ(catalog.error().code, Code::kInvalid);
    EXPECT_THAT(catalog.error().message, HasSubstr((directory_ / "b.toml").string()));
    EXPECT_THAT(catalog.error().message, HasSubstr(message));
  }
}

TEST_F(OperatorCatalog, NamesTheFileThatDoesNotParse) {
  write("broken.toml", "name = \n");
  const auto catalog = open();
  ASSERT_FALSE(catalog.has_value());
  EXPECT_THAT(catalog.error().message, HasSubstr((directory_ / "broken.toml").string()));
}

TEST_F(OperatorCatalog, RefusesADirectoryThatIsNotThere) {
  const auto catalog = Catalog::open((directory_ / "none").string());
  ASSERT_FALSE(catalog.has_value());
  EXPECT_EQ(catalog.error().code, Code::kNotFound);
}

}  // namespace
}  // namespace belljar::runtime
