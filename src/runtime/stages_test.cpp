#include "runtime/stages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/catalog.h"
#include "runtime/imports.h"

namespace belljar::runtime {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

using Strings = std::vector<std::string>;

Manifest built_in(std::string_view name) {
  const auto catalog = Catalog::open("");
  EXPECT_TRUE(catalog.has_value());
  auto manifest = catalog->by_name(name);
  EXPECT_TRUE(manifest.has_value()) << name;
  return *std::move(manifest);
}

// As if every program were installed at its first candidate.
Toolchain all_installed(const Manifest& manifest) {
  Toolchain toolchain;
  for (const Program& program : manifest.programs) {
    toolchain.programs[program.name] = program.candidates.front();
  }
  return toolchain;
}

Submission submission_of(const Strings& paths) {
  Submission submission;
  for (const std::string& path : paths) {
    submission.files.push_back({.path = path, .content = "", .executable = false});
  }
  return submission;
}

Result<Stages> plan(std::string_view language,
                    const Submission& submission,
                    const Limits& defaults = {}) {
  const Manifest manifest = built_in(language);
  return plan_stages(manifest, all_installed(manifest), submission, defaults);
}

std::string joined(const Strings& argv) {
  std::string text;
  for (const std::string& argument : argv) text += (text.empty() ? "" : " ") + argument;
  return text;
}

struct CommandCase {
  std::string language;
  std::string file;
  std::string compile;
  std::string run;
};

TEST(Stages, CommandsOfEveryLanguage) {
  const std::string jvm =
      "-XX:MaxRAM=512m -XX:MaxRAMPercentage=60 -XX:+UseSerialGC -XX:ActiveProcessorCount=1";
  const auto typescript = Catalog::open("")->by_name("typescript");
  ASSERT_TRUE(typescript && typescript->compile);
  const std::string& find_types = typescript->compile->argv[2];
  const CommandCase cases[] = {
      {"bash", "x.sh", "", "/usr/bin/bash /box/x.sh 1 -2"},
      {"c", "x.c",
       "/usr/bin/gcc -std=gnu17 -O2 -pipe -pthread -I/box -o /box/a.out -x c /box/x.c -lm",
       "/box/a.out 1 -2"},
      {"cpp", "x.cc",
       "/usr/bin/g++ -std=gnu++20 -O2 -pipe -pthread -I/box -o /box/a.out -x "
       "c++ /box/x.cc",
       "/box/a.out 1 -2"},
      {"go", "x.go", "/usr/bin/go build -o /box/a.out .", "/box/a.out 1 -2"},
      {"java", "x.java",
       "/usr/bin/javac -J-XX:MaxRAM=512m -J-XX:MaxRAMPercentage=60 -J-XX:+UseSerialGC "
       "-J-XX:ActiveProcessorCount=1 -J-XX:TieredStopAtLevel=1 -J-XX:-UsePerfData -encoding UTF-8 "
       "-d /box /box/x.java",
       "/usr/bin/java " + jvm + " -XX:-UsePerfData -cp /box x 1 -2"},
      {"javascript", "x.mjs", "", "/usr/bin/node /box/x.mjs 1 -2"},
      {"lua", "x.lua", "", "/usr/bin/lua5.4 /box/x.lua 1 -2"},
      {"perl", "x.pl", "", "/usr/bin/perl /box/x.pl 1 -2"},
      {"php", "x.php", "", "/usr/bin/php /box/x.php 1 -2"},
      {"python", "x.py", "", "/usr/bin/python3 /box/x.py 1 -2"},
      {"r", "x.R", "", "/usr/bin/Rscript /box/x.R 1 -2"},
      {"ruby", "x.rb", "", "/usr/bin/ruby /box/x.rb 1 -2"},
      {"rust", "x.rs", "/usr/bin/rustc --edition 2021 --crate-name main -O -o /box/a.out /box/x.rs",
       "/box/a.out 1 -2"},
      {"typescript", "x.ts",
       "/usr/bin/node -e " + find_types +
           " /usr/share/nodejs/typescript/bin/tsc --target es2022 "
           "--lib es2022,dom --module commonjs --moduleDetection force --esModuleInterop "
           "--resolveJsonModule --skipLibCheck --pretty false --rootDir /box --outDir /box "
           "/box/x.ts",
       "/usr/bin/node /box/x.js 1 -2"},
  };
  Strings covered;
  for (const CommandCase& c : cases) {
    Submission submission = submission_of({c.file});
    submission.args = {"1", "-2"};
    const auto stages = plan(c.language, submission);
    ASSERT_TRUE(stages.has_value()) << stages.error().message;
    EXPECT_EQ(stages->entry, c.file);
    EXPECT_EQ(stages->compile ? joined(stages->compile->argv) : "", c.compile);
    EXPECT_EQ(joined(stages->run.argv), c.run);
    covered.push_back(c.language);
  }
  EXPECT_EQ(covered, Catalog::open("")->names());
}

struct EntryCase {
  std::string language;
  Strings files;
  std::string entry;    // as asked
  std::string chosen;   // empty: refused
  std::string message;  // part of the refusal
};

TEST(Stages, EntryIsTheOneThatIsClear) {
  const EntryCase cases[] = {
      {"python", {"a.py"}, "", "a.py", ""},
      {"python", {"notes.txt"}, "", "notes.txt", ""},
      {"python", {"a.py", "data.csv"}, "", "a.py", ""},
      {"python", {"deep/down/a.py", "data.csv"}, "", "deep/down/a.py", ""},
      {"python", {"a.py", "main.py", "sub/main.py"}, "", "main.py", ""},
      {"python", {"a.py", "__main__.py", "main.py"}, "", "main.py", ""},
      {"python", {"project/main.py", "project/util.py"}, "", "project/main.py", ""},
      {"rust", {"src/main.rs", "src/lib.rs"}, "", "src/main.rs", ""},
      {"rust", {"project/src/main.rs", "project/src/lib.rs"}, "", "project/src/main.rs", ""},
      {"python", {"a.py", "b.py"}, "b.py", "b.py", ""},
      {"python", {"a.py", "run"}, "run", "run", ""},
      {"python", {"a.py", "b.py"}, "c.py", "", "'c.py' is not among the files"},
      {"python", {"a.py", "b.py"}, "", "", "name one of 'a.py', 'b.py'"},
      {"python", {"x/main.py", "y/main.py"}, "", "", "name one of 'x/main.py', 'y/main.py'"},
      {"python", {"notmain.py", "a.py"}, "", "", "name one of"},
      {"python", {"a.txt", "b.txt"}, "", "", "none of the files is Python by its name ('.py')"},
      {"python", {}, "", "", "files: there is none"},
      {"c", {"util.c", "prog.c", "util.h"}, "", "util.c", ""},
      {"go", {"a.go", "b.go"}, "", "a.go", ""},
      {"go", {"cmd/x/a.go", "cmd/y/b.go"}, "", "", "name one of 'cmd/x/a.go', 'cmd/y/b.go'"},
      {"java", {"A.java", "B.java"}, "", "", "name one of 'A.java', 'B.java'"},
  };
  for (const EntryCase& c : cases) {
    Submission submission = submission_of(c.files);
    submission.entry = c.entry;
    const auto entry = choose_entry(built_in(c.language), submission);
    if (!c.chosen.empty()) {
      ASSERT_TRUE(entry.has_value()) << entry.error().message;
      EXPECT_EQ(*entry, c.chosen);
      continue;
    }
    ASSERT_FALSE(entry.has_value()) << *entry;
    EXPECT_EQ(entry.error().code, Code::kInvalid);
    EXPECT_THAT(entry.error().message, HasSubstr(c.message));
  }
}

TEST(Stages, LongListsOfCandidatesAreCut) {
  Strings files;
  for (char c = 'a'; c <= 'z'; ++c) files.push_back(std::string(1, c) + ".py");
  const auto entry = choose_entry(built_in("python"), submission_of(files));
  ASSERT_FALSE(entry.has_value());
  EXPECT_THAT(entry.error().message, AllOf(HasSubstr("'h.py', …"), Not(HasSubstr("'i.py'"))));
}

TEST(Stages, SourcesAreTheFilesOfTheLanguage) {
  const auto stages = plan("c", submission_of({"main.c", "sub/util.c", "sub/util.h", "notes.txt"}));
  ASSERT_TRUE(stages.has_value());
  EXPECT_THAT(stages->compile->argv,
              AllOf(Contains("/box/main.c"), Contains("/box/sub/util.c"),
                    Not(Contains("/box/sub/util.h")), Not(Contains("/box/notes.txt"))));
}

TEST(Stages, AnEntryOfAnotherNameIsASourceToo) {
  const auto stages = plan("c", submission_of({"prog.txt"}));
  ASSERT_TRUE(stages.has_value());
  EXPECT_THAT(stages->compile->argv, Contains("/box/prog.txt"));
}

// Whatever the file is called, what differs from a harmless name's command is no option.
void expect_no_option(const Strings& argv, const Strings& harmless) {
  ASSERT_EQ(argv.size(), harmless.size());
  for (std::size_t i = 0; i < argv.size(); ++i) {
    if (argv[i] == harmless[i]) continue;
    EXPECT_THAT(argv[i], Not(AnyOf(StartsWith("-"), StartsWith("@"))));
  }
}

TEST(Stages, FileNamesAreNoOptions) {
  for (const std::string& language : Catalog::open("")->names()) {
    const std::string extension = built_in(language).extensions.front();
    const auto harmless = plan(language, submission_of({"x" + extension}));
    ASSERT_TRUE(harmless.has_value());
    for (const std::string stem : {"-o", "--version", "@args", "-", "$(id)", "a b"}) {
      const auto stages = plan(language, submission_of({stem + extension}));
      if (language == "java" && (stem.starts_with('-') || stem.starts_with('@'))) {
        ASSERT_FALSE(stages.has_value()) << stem;
        EXPECT_EQ(stages.error().code, Code::kInvalid);
        EXPECT_THAT(stages.error().message, HasSubstr("must not begin with '-' or '@'"));
        continue;
      }
      ASSERT_TRUE(stages.has_value()) << stages.error().message;
      if (stages->compile) expect_no_option(stages->compile->argv, harmless->compile->argv);
      expect_no_option(stages->run.argv, harmless->run.argv);
    }
  }
}

TEST(Stages, ArgumentsArriveAsTheyAre) {
  Submission submission = submission_of({"a.py"});
  submission.args = {"", "--", "-c", "a b", "{entry}", "{", "*", "$(id)", "\"q\"\\\n"};
  const auto stages = plan("python", submission);
  ASSERT_TRUE(stages.has_value());
  const Strings tail(stages->run.argv.begin() + 2, stages->run.argv.end());
  EXPECT_EQ(tail, submission.args);
}

TEST(Stages, DirectoryOfTheEntryIsThePackage) {
  Submission submission = submission_of({"go.mod", "cmd/app/main.go", "util/util.go"});
  const auto stages = plan("go", submission);
  ASSERT_TRUE(stages.has_value()) << stages.error().message;
  EXPECT_EQ(joined(stages->compile->argv), "/usr/bin/go build -o /box/a.out ./cmd/app");
}

TEST(Stages, EnvironmentGrowsByLayers) {
  Submission submission = submission_of({"main.go"});
  submission.env = {"LANG=de_DE.UTF-8", "GOMAXPROCS=2", "GOPROXY=x", "EMPTY="};
  const auto stages = plan("go", submission);
  ASSERT_TRUE(stages.has_value());
  EXPECT_THAT(stages->compile->env,
              AllOf(Contains("HOME=/box"), Contains("TMPDIR=/tmp"), Contains("LANG=C.UTF-8"),
                    Contains("GOPROXY=off"), Not(Contains("GOMAXPROCS=2"))));
  EXPECT_THAT(stages->run.env, ElementsAre("PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/box",
                                           "LANG=de_DE.UTF-8", "TMPDIR=/tmp", "USER=sandbox",
                                           "TZ=UTC", "GOMAXPROCS=2", "GOPROXY=x", "EMPTY="));
}

TEST(Stages, AnInterpreterWaitsWithTheWordsThatEveryRunHas) {
  Submission submission = submission_of({"Main.java"});
  submission.args = {"1"};
  submission.env = {"MORE=1"};
  const auto java = plan("java", submission);
  ASSERT_TRUE(java.has_value() && java->run.warm && java->compile->warm);
  EXPECT_EQ(java->run.warm->kind, InterpreterKind::kJava);
  EXPECT_EQ(joined(java->run.argv), joined(java->run.warm_argv) + " Main 1");
  EXPECT_THAT(java->run.warm_env, Not(Contains("MORE=1")));
  EXPECT_EQ(java->compile->warm->kind, InterpreterKind::kJavac);
  EXPECT_EQ(joined(java->compile->argv), joined(java->compile->warm_argv) + " /box/Main.java");
  const auto python = plan("python", submission_of({"x.py"}));
  ASSERT_TRUE(python.has_value());
  EXPECT_THAT(python->run.warm_argv, ElementsAre("/usr/bin/python3"));
  const auto cpp = plan("cpp", submission_of({"x.cpp"}));
  ASSERT_TRUE(cpp.has_value());
  EXPECT_FALSE(cpp->compile->warm || cpp->run.warm);
}

TEST(Stages, WhatIsImportedAheadFollowsFromTheTexts) {
  const Warm warm = *built_in("python").run.warm;
  Strings both = warm.preload;
  both.insert(both.end(), warm.preload_when_named.begin(), warm.preload_when_named.end());
  EXPECT_THAT(warm.preload, AllOf(Contains("json"), Not(Contains("numpy"))));
  EXPECT_THAT(warm.preload_when_named, ElementsAre("numpy", "pandas", "matplotlib"));

  const Strings none;

  struct Case {
    std::vector<std::pair<std::string, std::string>> files;  // the first is the entry
    const Strings& preload;
  };
  const Case cases[] = {
      {{{"x.py", "import json\n"}}, warm.preload},
      {{{"x.py", "import pandas as pd\n"}}, both},
      {{{"x", "import numpy\n"}}, both},
      {{{"x.py", "import helper\n"}, {"lib/helper.py", "from numpy import array\n"}}, both},
      {{{"x.py", "import json"}, {"requirements.txt", "import numpy\n"}}, warm.preload},
      // What imports next to nothing carries nothing.
      {{{"x.py", ""}}, none},
      {{{"x.py", "print('hello')\n"}, {"requirements.txt", "import json\n"}}, none},
      {{{"x.py", "import sys, time as clock\nfrom math import sqrt, pi\n"}}, warm.preload},
      {{{"x.py", "import sys, time\nfrom math import sqrt, pi\n  from os import path\n"}}, none},
      {{{"x.py", "import sys\n"}, {"y.py", "import asyncio\n"}}, warm.preload},
      {{{"x.py", "from asyncio import sys\n"}}, warm.preload},
      {{{"x.py", "importlib.reload(sys)\n"}}, warm.preload},
      {{{"x.py", "__import__('asyncio')\n"}}, warm.preload},
      {{{"x.py", "# this is important\n"}}, warm.preload},
      {{{"x.py", std::string(kMostSearched, '#')}, {"y.py", "import numpy\n"}}, warm.preload},
      // The entry's text is looked at first, wherever it stands.
      {{{"x.py", "import numpy\n"}, {"a.py", std::string(kMostSearched, '#')}}, both},
  };
  for (const Case& c : cases) {
    Submission submission;
    for (const auto& [path, content] : c.files) {
      submission.files.insert(submission.files.begin(),
                              {.path = path, .content = content, .executable = false});
    }
    submission.entry = c.files.front().first;
    const auto stages = plan("python", submission);
    ASSERT_TRUE(stages.has_value()) << stages.error().message;
    EXPECT_EQ(stages->run.preload, c.preload) << c.files.front().second.substr(0, 80);
  }
  const auto java = plan("java", submission_of({"Main.java"}));
  ASSERT_TRUE(java.has_value());
  EXPECT_THAT(java->run.preload, testing::IsEmpty());
}

TEST(Stages, LimitsGrowByLayers) {
  Limits defaults;
  defaults.wall = std::chrono::seconds(7);
  defaults.output = 5;
  Submission submission = submission_of({"Main.java"});
  submission.limits.memory = 100 * kMiB;
  submission.limits.cpus_milli = 2500;
  const auto stages = plan("java", submission, defaults);
  ASSERT_TRUE(stages.has_value());
  EXPECT_EQ(stages->compile->limits.wall, std::chrono::seconds(30));
  EXPECT_EQ(stages->compile->limits.memory, 512 * kMiB);
  EXPECT_EQ(stages->compile->limits.output, 5U);
  EXPECT_THAT(stages->compile->argv, Contains("-J-XX:MaxRAM=512m"));
  EXPECT_EQ(stages->run.limits.wall, std::chrono::seconds(7));
  EXPECT_EQ(stages->run.limits.memory, 100 * kMiB);
  EXPECT_EQ(stages->run.limits.processes, 128U);
  EXPECT_THAT(stages->run.argv,
              AllOf(Contains("-XX:MaxRAM=100m"), Contains("-XX:ActiveProcessorCount=3")));
}

TEST(Stages, KeepsAndMountsGoWithTheStage) {
  const Manifest manifest = built_in("java");
  Toolchain toolchain = all_installed(manifest);
  toolchain.mounts = {"/etc/java-99-openjdk"};
  const auto stages = plan_stages(manifest, toolchain, submission_of({"Main.java"}), {});
  ASSERT_TRUE(stages.has_value());
  EXPECT_EQ(stages->compile->kind, StageKind::kCompile);
  EXPECT_THAT(stages->compile->keep, ElementsAre("**/*.class"));
  EXPECT_THAT(stages->compile->mounts, ElementsAre("/etc/java-99-openjdk"));
  EXPECT_EQ(stages->run.kind, StageKind::kRun);
  EXPECT_THAT(stages->run.keep, ElementsAre());
  EXPECT_THAT(stages->run.mounts, ElementsAre("/etc/java-99-openjdk"));
}

TEST(Stages, TheLinkersArgumentIsThereWhereALinkerIs) {
  const Manifest manifest = built_in("cpp");
  Toolchain toolchain = all_installed(manifest);
  const auto without = plan_stages(manifest, toolchain, submission_of({"a.cpp"}), {});
  EXPECT_THAT(without->compile->argv, Not(Contains(HasSubstr("-fuse-ld"))));
  toolchain.linker = "-fuse-ld=mold";
  const auto with = plan_stages(manifest, toolchain, submission_of({"a.cpp"}), {});
  EXPECT_THAT(with->compile->argv, Contains("-fuse-ld=mold").Times(1));
  EXPECT_EQ(with->compile->argv.size(), without->compile->argv.size() + 1);
}

TEST(Stages, AHeaderIsPrecompiledWithTheFlagsOfTheCompileStage) {
  const Manifest manifest = built_in("cpp");
  const Toolchain toolchain = all_installed(manifest);
  const auto list = plan_header_list(manifest, toolchain, {});
  ASSERT_TRUE(list.has_value());
  EXPECT_THAT(list->argv, AllOf(Contains("-M"), Contains("/box/header.source")));
  const auto plan = plan_header(manifest, toolchain, {}, "/usr/include/x.h");
  ASSERT_TRUE(plan.has_value());
  EXPECT_THAT(plan->argv, AllOf(Contains("/usr/include/x.h"), Contains("/box/header.gch")));
  EXPECT_THAT(plan->keep, ElementsAre("header.gch"));
  EXPECT_EQ(plan->limits.memory, 2 * kGiB);
  const auto stages = plan_stages(manifest, toolchain, submission_of({"a.cpp"}), {});
  EXPECT_EQ(plan->env, stages->compile->env);
  for (const char* const flag : {"-std=gnu++20", "-O2", "-pthread"}) {
    EXPECT_THAT(stages->compile->argv, Contains(flag));
    EXPECT_THAT(plan->argv, Contains(flag));
  }
}

TEST(Stages, VersionIsAskedOfTheTool) {
  const Manifest manifest = built_in("java");
  const auto argv = plan_version(manifest, all_installed(manifest));
  ASSERT_TRUE(argv.has_value());
  EXPECT_THAT(*argv, ElementsAre("/usr/bin/java", "--version"));
}

TEST(Stages, AProgramThatWasNotDetectedIsOurFault) {
  const auto stages = plan_stages(built_in("python"), Toolchain{}, submission_of({"a.py"}), {});
  ASSERT_FALSE(stages.has_value());
  EXPECT_EQ(stages.error().code, Code::kInternal);
}

}  // namespace
}  // namespace belljar::runtime
