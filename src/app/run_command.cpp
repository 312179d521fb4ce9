// `belljar run`: one program, once, or once per test.
#include <unistd.h>

#include <csignal>
#include <optional>
#include <string>

#include "app/artifact_files.h"
#include "app/byte_sink.h"
#include "app/exit_codes.h"
#include "app/header_folders.h"
#include "app/interruption.h"
#include "app/invocation.h"
#include "app/live_output.h"
#include "app/program_input.h"
#include "app/run_report.h"
#include "app/run_request.h"
#include "app/terminal.h"
#include "app/tests_run.h"
#include "base/text.h"

namespace belljar::app {
namespace {

// A newcomer's slip: an option of ours after FILE silently goes to the program.
void hint_at_misplaced_option(const Arguments& arguments) {
  if (arguments.separated() || !is_terminal(STDERR_FILENO)) return;
  const auto& operands = arguments.operands();
  if (operands.size() < 2 || !operands[1].starts_with("--")) return;
  const std::string_view name = operands[1].substr(2, operands[1].find('=') - 2);
  for (const OptionSpec& option : find_command("run")->options) {
    if (option.name != name) continue;
    say(quote(operands[1]) + " goes to the program, as it stands after " + quote(operands[0]) +
            "; write -- between them if that is meant",
        Colour::kYellow);
  }
}

void say_before_run(const Arguments& arguments, const RunRequest& request) {
  if (arguments.has("quiet")) return;
  hint_at_misplaced_option(arguments);
  if (request.links_left_out > 0) {
    say("symbolic links left out: " + std::to_string(request.links_left_out), Colour::kYellow);
  }
}

// What the person was promised besides the output.
Status deliver(const Arguments& arguments, const Outcome& outcome) {
  const std::string directory(arguments.value("artifacts-dir").value_or("artifacts"));
  const Replace replace = arguments.has("force") ? Replace::kYes : Replace::kNo;
  Status written = write_artifacts(directory, outcome.artifacts, replace);
  if (arguments.has("json")) TRY(write_patiently(STDOUT_FILENO, to_json(outcome) + "\n"));
  return written;
}

void tell(LiveOutput& live, std::string_view line, Colour colour = Colour::kRed) {
  live.end_line();
  say(line, colour);
}

void report(const Arguments& arguments, const Outcome& outcome, LiveOutput& live) {
  if (arguments.has("stats")) {
    tell(live, stats_text(outcome), Colour::kBold);
  } else if (!arguments.has("quiet") && !arguments.has("json")) {
    for (const std::string& line : failure_lines(outcome)) tell(live, line);
  }
  if (outcome.artifacts_truncated && !arguments.has("quiet"))
    tell(live, "more files matched than the artifacts limit allows", Colour::kYellow);
}

Result<int> run_once(const Arguments& arguments,
                     engine::Engine& engine,
                     const Submission& submission) {
  TRY_ASSIGN(std::optional<Interruption> interruption, Interruption::catch_signals());
  TRY_ASSIGN(ProgramInput source, open_input(arguments, interruption->fd()));
  source.input.warm = arguments.has("warm");
  LiveOutput live(arguments.has("raw") ? LiveOutput::AsIs::kYes : LiveOutput::AsIs::kNo,
                  interruption->fd());
  engine::Observer silent;
  engine::Observer& observer = arguments.has("json") ? silent : live;

  auto outcome = engine.execute(submission, source.input, observer);
  const Status shown = live.finish();
  source.raw.reset();
  interruption.reset();
  if (!outcome) {
    live.end_line();
    return std::unexpected(std::move(outcome).error());
  }
  const Status delivered = deliver(arguments, *outcome);
  // What was not shown because somebody wanted the run to end is no loss.
  const Status& lost = shown || shown.error().sys == EINTR ? delivered : shown;
  if (lost) {
    report(arguments, *outcome, live);
  } else if (lost.error().sys == EPIPE) {
    return kExitSignalBase + SIGPIPE;
  } else {
    tell(live, lost.error().message);
    return kExitTrouble;
  }
  return exit_code(*outcome);
}

}  // namespace

Result<int> run_command(Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  TRY(check_combinations(arguments));
  TRY_ASSIGN(warden::Client warden, *std::move(invocation.warden));
  TRY_ASSIGN(const RunRequest request, read_request(arguments, warden));
  say_before_run(arguments, request);
  // While signals still have their default effect: a warden that never answers is then ended with
  // Ctrl-C, and without cells there is nothing to take down. It goes on preparing meanwhile.
  TRY(warden.host());
  // Nothing compiled is kept from one command to the next: docs/decisions/0013-compile-cache.md.
  const engine::HeaderStore headers(header_folders());
  engine::Engine engine(warden, request.catalog, request.policy,
                        {.versions = nullptr, .cache = nullptr, .tenant = {}, .headers = &headers});
  if (const auto directory = arguments.value("tests")) {
    return run_tests(arguments, engine, request.submission, std::string(*directory));
  }
  return run_once(arguments, engine, request.submission);
}

}  // namespace belljar::app
