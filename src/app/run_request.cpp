#include "app/run_request.h"

#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "app/submission_files.h"
#include "base/text.h"
#include "engine/archive.h"
#include "model/builtin_policies.h"

namespace belljar::app {
namespace {

constexpr std::uint64_t kMostPolicyBytes = 1 * kMiB;
constexpr std::string_view kStandardInput = "-";

std::string_view last_component(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

Result<LimitOverrides> read_limits(const Arguments& arguments) {
  std::string joined;
  for (const std::string_view text : arguments.values("limit")) {
    if (!joined.empty()) joined += ',';
    joined += text;
  }
  if (joined.empty()) return LimitOverrides{};
  auto limits = parse_limits(joined);
  if (!limits) return std::unexpected(limits.error().context("--limit"));
  return limits;
}

Result<WallSet> read_walls(const Arguments& arguments, WallSet walls) {
  for (const std::string_view text : arguments.values("require")) {
    const auto more = parse_walls(text);
    if (!more) return std::unexpected(more.error().context("--require"));
    walls = WallSet::from_bits(walls.bits() | more->bits());
  }
  return walls;
}

// A program without a name, as its language would call it.
Result<std::string> name_for_standard_input(const runtime::Catalog& catalog,
                                            const std::string& language) {
  if (language.empty())
    return fail(Code::kInvalid, "a program from standard input needs --language");
  TRY_ASSIGN(const runtime::Manifest manifest, catalog.by_name(language));
  if (!manifest.entries.empty()) return manifest.entries.front();
  return "main" + (manifest.extensions.empty() ? "" : manifest.extensions.front());
}

Result<std::vector<File>> unpack_archive(const std::string& path,
                                         std::uint64_t most_bytes,
                                         warden::Client& warden) {
  TRY_ASSIGN(const std::string archive, read_named(path, most_bytes));
  auto files = engine::unpack(warden, archive);
  if (!files) return std::unexpected(files.error().context(quote(path)));
  return files;
}

bool is_directory(const std::string& path) {
  struct stat facts{};
  return stat(path.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode);
}

// Fills in the files, and the entry where one file was named.
Status read_files(const Arguments& arguments,
                  std::uint64_t most_bytes,
                  warden::Client& warden,
                  RunRequest& request) {
  SubmissionFiles files(most_bytes);
  const std::string program(arguments.operands().front());
  Submission& submission = request.submission;
  if (program == kStandardInput) {
    TRY_ASSIGN(submission.entry, name_for_standard_input(request.catalog, submission.language));
    TRY_ASSIGN(std::string content, read_whole(STDIN_FILENO, "standard input", most_bytes));
    submission.files.push_back({.path = submission.entry, .content = std::move(content)});
  } else if (is_directory(program)) {
    TRY(files.add_directory(program, ""));
  } else if (engine::looks_like_archive(program)) {
    TRY_ASSIGN(submission.files, unpack_archive(program, most_bytes, warden));
  } else {
    submission.entry = last_component(program);
    TRY(files.add_file(program, submission.entry));
  }
  for (const std::string_view more : arguments.values("file")) {
    const std::size_t equals = more.rfind('=');
    const std::string path(more.substr(0, equals));
    const std::string_view name =
        equals == std::string_view::npos ? base_name(path) : more.substr(equals + 1);
    TRY(files.add(path, std::string(name)));
  }
  request.links_left_out = files.links();
  for (File& file : std::move(files).take()) submission.files.push_back(std::move(file));
  if (const auto entry = arguments.value("entry")) submission.entry = *entry;
  return {};
}

}  // namespace

Status check_combinations(const Arguments& arguments) {
  static constexpr std::pair<std::string_view, std::string_view> kApart[] = {
      {"tests", "stdin"}, {"tests", "tty"}, {"tests", "artifact"},
      {"tty", "stdin"},   {"tty", "json"},  {"raw", "json"},
  };
  for (const auto& [one, other] : kApart) {
    if (arguments.has(one) && arguments.has(other)) {
      return fail(Code::kInvalid, "--" + std::string(one) + " and --" + std::string(other) +
                                      " cannot be used together");
    }
  }
  if (arguments.has("exact") && !arguments.has("tests"))
    return fail(Code::kInvalid, "--exact needs --tests");
  if (arguments.has("tty") && arguments.operands().front() == kStandardInput)
    return fail(Code::kInvalid, "--tty needs standard input, which is the program here");
  return {};
}

Result<Policy> read_policy(std::string_view name_or_path) {
  if (name_or_path.find('/') == std::string_view::npos && !name_or_path.ends_with(".toml"))
    return builtin_policy(name_or_path);
  const std::string path(name_or_path);
  TRY_ASSIGN(const std::string text, read_named(path, kMostPolicyBytes));
  std::string_view name = base_name(path);
  if (name.ends_with(".toml")) name.remove_suffix(std::string_view(".toml").size());
  auto policy = parse_policy(text, name);
  if (!policy) return std::unexpected(policy.error().context(quote(path)));
  return policy;
}

Result<RunRequest> read_request(const Arguments& arguments, warden::Client& warden) {
  TRY_ASSIGN(runtime::Catalog catalog,
             runtime::Catalog::open(std::string(arguments.value("runtimes").value_or(""))));
  TRY_ASSIGN(Policy policy, read_policy(arguments.value("policy").value_or("default")));
  TRY_ASSIGN(policy.require, read_walls(arguments, policy.require));
  RunRequest request{.catalog = std::move(catalog), .policy = std::move(policy), .submission = {}};

  Submission& submission = request.submission;
  submission.language = arguments.value("language").value_or("");
  TRY_ASSIGN(submission.limits, read_limits(arguments));
  for (const std::string_view variable : arguments.values("env")) {
    if (variable.find('=') == std::string_view::npos)
      return fail(Code::kInvalid, "--env " + quote(variable) + " is not of the form NAME=VALUE");
    submission.env.emplace_back(variable);
  }
  for (const std::string_view glob : arguments.values("artifact"))
    submission.artifacts.emplace_back(glob);
  const auto& operands = arguments.operands();
  submission.args.assign(operands.begin() + 1, operands.end());

  const std::uint64_t most_bytes = submission.limits.box.value_or(request.policy.defaults.box);
  TRY(read_files(arguments, most_bytes, warden, request));
  return request;
}

}  // namespace belljar::app
