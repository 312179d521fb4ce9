#include "app/options.h"

#include <algorithm>
#include <array>
#include <limits>

#include "api/setting_fields.h"

namespace belljar::app {
namespace {

constexpr OptionSpec kHelp{"help", "", "print this help"};
constexpr OptionSpec kJson{"json", "", "print one JSON object instead of text"};
constexpr OptionSpec kRuntimes{
    "runtimes", "DIR", "add or replace languages by the manifests in DIR", Completes::kDirectory};

// What is run, and how: of every command that runs a program.
constexpr OptionSpec kLanguage{
    "language",           "NAME",      "the language; otherwise the entry file's extension says it",
    Completes::kLanguage, Repeat::kNo, "The submission"};
constexpr OptionSpec kEntry{"entry", "NAME",
                            "which file of a directory or archive is run or compiled first"};
constexpr OptionSpec kFile{"file", "PATH[=NAME]",
                           "put one more file or directory beside the program, as NAME if given",
                           Completes::kFile, Repeat::kYes};
constexpr OptionSpec kEnv{"env", "NAME=VALUE",
                          "set a variable; nothing of the caller's environment goes in",
                          Completes::kNothing, Repeat::kYes};
constexpr OptionSpec kLimit{
    "limit",           "NAME=VALUE,...", "set limits of the run, see LIMITS",
    Completes::kLimit, Repeat::kYes,     "Limits and policy"};
constexpr OptionSpec kPolicy{"policy", "NAME|FILE.toml", "the policy that says what is allowed",
                             Completes::kPolicy};
constexpr OptionSpec kRequire{"require", "FULL|WALL,...", "start nothing unless these walls stand",
                              Completes::kWall, Repeat::kYes};
constexpr OptionSpec kStdin{
    "stdin",          "FILE",      "read the program's standard input from FILE",
    Completes::kFile, Repeat::kNo, "Input and output"};
constexpr OptionSpec kArtifact{"artifact", "GLOB",
                               "bring back files that match, such as '*.png' or 'out/**'",
                               Completes::kNothing, Repeat::kYes};

constexpr std::array kProgramOptions{kLanguage, kEntry,  kFile,    kEnv,  kRuntimes,
                                     kLimit,    kPolicy, kRequire, kStdin};

template <std::size_t kFirst, std::size_t kMore>
consteval auto joined(const std::array<OptionSpec, kFirst>& first,
                      const std::array<OptionSpec, kMore>& more) {
  std::array<OptionSpec, kFirst + kMore> all{};
  std::ranges::copy(more, std::ranges::copy(first, all.begin()).out);
  return all;
}

constexpr std::array kRunOptions = joined(
    kProgramOptions,
    std::array{
        OptionSpec{"tty", "", "give the program a terminal of its own, connected to this one"},
        OptionSpec{
            "warm", "",
            "first have a finished cell made, with the interpreter up in it where that can be, "
            "and run in that one"},
        OptionSpec{"raw", "",
                   "write the program's bytes to a terminal as they are, escapes included"},
        kArtifact,
        OptionSpec{"artifacts-dir", "DIR", "where artifacts are written; ./artifacts by default",
                   Completes::kDirectory},
        OptionSpec{"force", "", "let artifacts replace files that are already there"},

        OptionSpec{"tests", "DIR",
                   "run once per pair NAME.in and NAME.out in DIR and judge the output",
                   Completes::kDirectory, Repeat::kNo, "Tests"},
        OptionSpec{
            "exact", "",
            "with --tests: compare every byte; otherwise white space at the end of lines and "
            "empty lines at the end of the output do not count"},

        OptionSpec{"json", "",
                   "print the whole outcome as one JSON object, and no output of the program",
                   Completes::kNothing, Repeat::kNo, "Reports"},
        OptionSpec{"stats", "",
                   "print time, memory, walls and refused system calls on standard error"},
        OptionSpec{"quiet", "", "print nothing of Belljar's own about what the program did"},
        kHelp,
    });

constexpr std::array kBenchOptions =
    joined(kProgramOptions,
           std::array{kArtifact,
                      OptionSpec{"runs", "NUMBER", "how often each way, 20 by default",
                                 Completes::kNothing, Repeat::kNo, "Reports"},
                      OptionSpec{"phases", "", "show the phases of each"}, kJson, kHelp});
constexpr std::array kLanguagesOptions{kJson, kRuntimes, kHelp};
constexpr std::array kPrepareOptions{
    OptionSpec{"headers", "DIR",
               "where they are kept; /var/cache/belljar/headers for root, else the user's cache",
               Completes::kDirectory},
    OptionSpec{"background", "", "be of the lowest priority, and end with whoever started it"},
    kRuntimes, kHelp};
constexpr std::array kReportOptions{kJson, kHelp};
constexpr std::array kPlainOptions{kHelp};

constexpr OptionSpec kConfig{"config", "FILE",
                             "read settings from FILE; /etc/belljar/belljar.toml where it is there",
                             Completes::kFile};
constexpr OptionSpec kStateDir{"state-dir", "DIR", "folder of the ledger", Completes::kDirectory};
constexpr OptionSpec kLedger{"ledger", "URL",
                             "postgresql://USER@HOST/DATABASE, where the ledger is there"};
constexpr OptionSpec kLedgerPassword{"ledger-password-file", "FILE",
                                     "file with the password of that database", Completes::kFile};

constexpr Completes completion_of(const api::SettingField& field) {
  if (field.name == "ledger-password-file") return Completes::kFile;
  if (field.name.starts_with("fleet-") && field.name.ends_with("-file")) return Completes::kFile;
  if (field.name == "headers" || field.name == "state-dir" || field.name == "runtimes")
    return Completes::kDirectory;
  return field.name == "policy" ? Completes::kPolicy : Completes::kNothing;
}

constexpr std::string_view value_of(api::SettingField::Kind kind) {
  switch (kind) {
    case api::SettingField::Kind::kText:
      return "TEXT";
    case api::SettingField::Kind::kFlag:
      return "";
    case api::SettingField::Kind::kCount:
      return "NUMBER";
    case api::SettingField::Kind::kBytes:
      return "SIZE";
    case api::SettingField::Kind::kDuration:
      return "TIME";
  }
  return "";
}

// Every setting, and how to find the file with them.
constexpr auto kServeOptions = [] {
  std::array<OptionSpec, api::kSettingFields.size() + 2> options{};
  options.front() = kConfig;
  for (std::size_t i = 0; i < api::kSettingFields.size(); ++i) {
    const api::SettingField& field = api::kSettingFields[i];
    options[i + 1] = {field.name, value_of(field.kind), field.help, completion_of(field)};
  }
  options.back() = kHelp;
  return options;
}();

constexpr auto kPysandboxOptions = [] {
  std::array<OptionSpec, kServeOptions.size() + 1> options{};
  options.front() = {"ports", "PORTS", "the cells' ports, 1765-1774 by default"};
  std::ranges::copy(kServeOptions, options.begin() + 1);
  return options;
}();

constexpr std::array kKeysOptions{
    OptionSpec{"for", "USER", "create: whose key it is"},
    OptionSpec{"name", "NAME", "create: what the key is for"},
    OptionSpec{"scope", "SCOPE", "create: runs, metrics, admin or *; runs by default",
               Completes::kNothing, Repeat::kYes},
    OptionSpec{"per-minute", "NUMBER", "create: most requests a minute"},
    OptionSpec{"at-once", "NUMBER", "create: most runs at once"},
    OptionSpec{"per-day", "NUMBER", "create: most runs a day"},
    OptionSpec{"expires", "DAYS", "create: days until it is not valid any more"},
    kStateDir,
    kLedger,
    kLedgerPassword,
    kConfig,
    kHelp};
constexpr std::array kFleetOptions{
    OptionSpec{"fleet", "URLS", "nats://HOST:PORT or tls://HOST:PORT, by commas"},
    OptionSpec{"fleet-credentials-file", "FILE", "credentials for NATS", Completes::kFile},
    OptionSpec{"fleet-ca-file", "FILE", "who may sign the servers' certificates", Completes::kFile},
    OptionSpec{"fleet-certificate-file", "FILE", "the certificate that NATS is shown",
               Completes::kFile},
    OptionSpec{"fleet-key-file", "FILE", "the key of that certificate", Completes::kFile},
    kJson,
    kConfig,
    kHelp};
constexpr std::array kMigrateOptions{kStateDir, kLedger, kLedgerPassword, kConfig, kHelp};
constexpr std::array kHistoryOptions{
    OptionSpec{"last", "NUMBER", "how many, 20 by default"},
    OptionSpec{"state", "STATE", "only queued, running, done, cancelled or lost"},
    OptionSpec{"language", "NAME", "only of this language", Completes::kLanguage},
    OptionSpec{"caller", "ID", "only of this key, or of ip:ADDRESS"},
    kStateDir,
    kLedger,
    kLedgerPassword,
    kConfig,
    kJson,
    kHelp};

constexpr std::size_t kAny = std::numeric_limits<std::size_t>::max();

constexpr std::array kCommands{
    CommandSpec{
        .name = "run",
        .summary = "run a program that nobody trusts, sealed, and report what happened",
        .operands = "FILE|DIR|ARCHIVE|- [ARGUMENT...]",
        .description =
            "Runs FILE, or the program in a directory or in a .zip, .tar or .tar.gz archive, in a "
            "cell of its own; compiled languages are compiled in another one first. - reads the "
            "program from standard input and needs --language.\n"
            "Options stand before FILE; everything after it goes to the program, except one -- "
            "directly after FILE, which is dropped.\n"
            "Standard input is passed on, and the program's standard output and error appear as "
            "they come: byte for byte into a pipe or a file, with control characters made visible "
            "on a terminal. What a compiler says goes to standard error.",
        .options = kRunOptions,
        .least_operands = 1,
        .most_operands = kAny,
        .rest_is_programs = true,
        .completes = Completes::kFile,
    },
    CommandSpec{
        .name = "bench",
        .summary = "show where the time of a program's runs goes on this host",
        .operands = "FILE|DIR|ARCHIVE|- [ARGUMENT...]",
        .description =
            "Runs the program many times in each way in which a run may begin: in a cell that is "
            "made for it, in one that waited, and in one that waited with the interpreter up. What "
            "is told are the outcomes' own phases, in milliseconds. Its output is not shown, and "
            "it must end well.",
        .options = kBenchOptions,
        .least_operands = 1,
        .most_operands = kAny,
        .rest_is_programs = true,
        .completes = Completes::kFile,
    },
    CommandSpec{
        .name = "languages",
        .summary = "list the languages, and what this host has of each",
        .operands = "",
        .description = "For each language its names, its file extensions and the toolchain found "
                       "on this host, or the package that brings it.",
        .options = kLanguagesOptions,
    },
    CommandSpec{
        .name = "policies",
        .summary = "list the built-in policies and their limits",
        .operands = "[NAME]",
        .description = "With a NAME, also everything that policy says.",
        .options = kReportOptions,
        .most_operands = 1,
        .completes = Completes::kPolicy,
    },
    CommandSpec{
        .name = "doctor",
        .summary = "probe which walls and limits this host can give",
        .operands = "",
        .description =
            "Runs small programs in real cells, lists every wall that stood and every limit that "
            "held, and says for each gap what to do about it. Settings of the host that weaken a "
            "cell are listed as warnings.",
        .options = kReportOptions,
    },
    CommandSpec{
        .name = "prepare",
        .summary = "precompile the standard headers, so that compiling starts sooner",
        .operands = "",
        .description =
            "Precompiles, in cells, the headers that the languages' manifests name, with the "
            "compilers of this host. Later compile stages use them for as long as neither the "
            "compiler nor one of its headers changes; without them nothing but time is lost. The "
            "service does this by itself when it starts.",
        .options = kPrepareOptions,
    },
    CommandSpec{
        .name = "serve",
        .summary = "run the service: HTTP API and playground",
        .operands = "",
        .description =
            "Listens on loopback unless told otherwise. Every setting may also stand in a TOML "
            "file, with _ for -, and in the environment; the command line wins over the "
            "environment, the environment over the file. SIGTERM ends it after what runs is done.",
        .options = kServeOptions,
    },
    CommandSpec{
        .name = "pysandbox",
        .summary = "run the service as pysandbox: a Python cell behind each of some ports",
        .operands = "",
        .description =
            "Each port is one cell with what was run in it, and takes checked bytecode as "
            "pysandbox's executor did; the policy pysandbox is the default. It is the service with "
            "other defaults: everything else is as for serve.",
        .options = kPysandboxOptions,
    },
    CommandSpec{
        .name = "worker",
        .summary = "run programs for the gateways of a fleet",
        .operands = "",
        .description =
            "Takes runs from NATS, which --fleet names, and has them run in cells here; it has no "
            "HTTP API and no ledger. Settings that are about those are without effect. SIGTERM "
            "ends it after what runs is done; what comes then goes to other workers.",
        .options = kServeOptions,
    },
    CommandSpec{
        .name = "fleet",
        .summary = "show the workers, gateways and queues of a fleet",
        .operands = "",
        .description = "Listens for a moment to what they tell each other over NATS.",
        .options = kFleetOptions,
    },
    CommandSpec{
        .name = "keys",
        .summary = "create, list and revoke the keys of the service",
        .operands = "create|list|revoke [ID]",
        .description = "A key's secret is shown once, when it is created.",
        .options = kKeysOptions,
        .least_operands = 1,
        .most_operands = 2,
    },
    CommandSpec{
        .name = "history",
        .summary = "show what the service ran",
        .operands = "[ID]",
        .description = "With an ID, everything of that run as JSON.",
        .options = kHistoryOptions,
        .most_operands = 1,
    },
    CommandSpec{
        .name = "migrate",
        .summary = "bring the ledger to this version, and say what was done",
        .operands = "",
        .description =
            "The service does so by itself when it starts; ahead of it, where several are about to "
            "be brought to a new version. A ledger of a newer version is left alone.",
        .options = kMigrateOptions,
    },
    CommandSpec{
        .name = "config",
        .summary = "check the settings of the service, and show them",
        .operands = "check",
        .description = "Reads the file, the environment and the options as serve would.",
        .options = kServeOptions,
        .least_operands = 1,
        .most_operands = 1,
    },
    CommandSpec{
        .name = "completion",
        .summary = "print a completion script for bash, zsh or fish",
        .operands = "bash|zsh|fish",
        .description = "For bash: source <(belljar completion bash)",
        .options = kPlainOptions,
        .least_operands = 1,
        .most_operands = 1,
        .completes = Completes::kShell,
    },
    CommandSpec{
        .name = "man",
        .summary = "print the manual page",
        .operands = "",
        .description = "To read it: belljar man | man -l -",
        .options = kPlainOptions,
    },
    CommandSpec{
        .name = "help",
        .summary = "explain a command",
        .operands = "[COMMAND]",
        .description = "",
        .options = kPlainOptions,
        .most_operands = 1,
        .completes = Completes::kCommand,
    },
};

}  // namespace

std::span<const CommandSpec> commands() {
  return kCommands;
}

const CommandSpec* find_command(std::string_view name) {
  for (const CommandSpec& command : kCommands)
    if (command.name == name) return &command;
  return nullptr;
}

}  // namespace belljar::app
