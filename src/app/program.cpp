#include "app/program.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <csignal>
#include <string>
#include <string_view>
#include <vector>

#include "app/byte_sink.h"
#include "app/exit_codes.h"
#include "app/gateway_main.h"
#include "app/help.h"
#include "app/invocation.h"
#include "app/terminal.h"
#include "app/webhooks_main.h"
#include "app/worker_main.h"
#include "base/text.h"
#include "engine/unpack_main.h"
#include "warden/client.h"
#include "warden/warden_main.h"

namespace belljar::app {
namespace {

struct Entry {
  std::string_view name;
  Result<int> (*command)(Invocation& invocation);
  bool makes_cells;
};

struct Program {
  char** argv;
  const FleetParts* fleet;
};

constexpr Entry kEntries[] = {
    {"run", run_command, true},
    {"bench", bench_command, true},
    {"languages", languages_command, false},
    {"policies", policies_command, false},
    {"doctor", doctor_command, true},
    {"prepare", prepare_command, false},
    {"serve", serve_command, false},
    {"pysandbox", pysandbox_command, false},
    {"worker", worker_command, false},
    {"fleet", fleet_command, false},
    {"keys", keys_command, false},
    {"history", history_command, false},
    {"migrate", migrate_command, false},
    {"config", config_command, false},
    {"completion", completion_command, false},
    {"man", man_command, false},
    {"help", help_command, false},
};

const Entry* find_entry(std::string_view name) {
  for (const Entry& entry : kEntries)
    if (entry.name == name) return &entry;
  return nullptr;
}

// A descriptor that a closed standard stream leaves free would be taken by the next open().
void keep_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(fd, F_GETFD) == -1) static_cast<void>(open("/dev/null", O_RDWR));
  }
}

int print(std::string_view text) {
  return write_patiently(STDOUT_FILENO, text) ? kExitOk : kExitTrouble;
}

bool wants_json(const CommandSpec& spec, const Arguments& arguments) {
  for (const OptionSpec& option : spec.options)
    if (option.name == "json") return arguments.has("json");
  return false;
}

int fail_with(const Error& error, bool json) {
  // Nobody reads what we print any more: that is their wish, and nothing to complain about.
  if (error.sys == EPIPE) return exit_code(error);
  say(error.message);
  if (json) {
    const boost::json::value value = {
        {"error", {{"exit_code", exit_code(error)}, {"message", repair_utf8(error.message)}}}};
    print(escape_json_for_terminal(boost::json::serialize(value)) + "\n");
  }
  return exit_code(error);
}

int call(const Entry& entry, const std::vector<std::string_view>& words, Program program) {
  std::optional<Result<warden::Client>> warden;
  if (entry.makes_cells) warden.emplace(warden::Client::spawn(program.argv));
  const CommandSpec& spec = *find_command(entry.name);
  auto arguments = Arguments::parse(spec, words);
  if (!arguments) return fail_with(arguments.error(), false);
  if (arguments->has("help")) return print(command_text(spec));
  const bool json = wants_json(spec, *arguments);
  Invocation invocation{.arguments = *std::move(arguments),
                        .warden = std::move(warden),
                        .argv = program.argv,
                        .fleet = program.fleet};
  const Result<int> code = entry.command(invocation);
  return code ? *code : fail_with(code.error(), json);
}

int run_main(int argc, char** argv, const FleetParts* fleet) {
  const std::vector<std::string_view> words(argv + std::min(argc, 2), argv + argc);
  const std::string_view name = argc > 1 ? argv[1] : "--help";
  if (name == "--help" || name == "-h") return print(overview_text());
  if (name == "--version") return print(version_text());
  if (const Entry* const entry = find_entry(name))
    return call(*entry, words, {.argv = argv, .fleet = fleet});
  say("no command is called " + quote(name) + ", see belljar help");
  return kExitUsage;
}

}  // namespace

int program_main(int argc, char** argv, const FleetParts* fleet) {
  using namespace std::string_view_literals;
  if (argc > 1 && argv[1] == "warden"sv) return warden::warden_main();
  if (argc > 1 && argv[1] == "gateway"sv) return gateway_main(argc, argv, fleet);
  if (argc > 1 && argv[1] == "fleet-worker"sv) return worker_main(argc, argv, fleet);
  if (argc > 1 && argv[1] == "webhooks"sv) return webhooks_main(argc, argv);
  if (argc > 1 && argv[1] == "unpack"sv) return engine::unpack_main();
  keep_standard_streams();
  // A reader that goes away, ours or a program's, is an error value like any other.
  std::signal(SIGPIPE, SIG_IGN);
  return run_main(argc, argv, fleet);
}

}  // namespace belljar::app
