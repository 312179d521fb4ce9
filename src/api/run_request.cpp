#include "api/run_request.h"

#include <boost/json.hpp>
#include <cmath>

#include "api/json_reader.h"
#include "base/text.h"
#include "model/json_text.h"

namespace belljar::api {
namespace {

namespace json = boost::json;

Result<std::string> decode(const std::string& content,
                           const std::string& encoding,
                           const std::string& path) {
  if (encoding == "utf-8") return content;
  if (encoding != "base64") {
    return fail(Code::kInvalid, path + ".encoding: must be \"utf-8\" or \"base64\"");
  }
  std::optional<std::string> bytes = base64_decode(content);
  if (!bytes) return fail(Code::kInvalid, path + ".content: is not base64");
  return *std::move(bytes);
}

Result<File> read_file_entry(const json::value& value, const std::string& path) {
  TRY_ASSIGN(JsonReader reader, JsonReader::of(value, path));
  File file;
  TRY_ASSIGN(const auto name, reader.text("path"));
  if (!name) return reader.wrong("path", "a string");
  file.path = *name;
  TRY_ASSIGN(const auto content, reader.text("content"));
  if (!content) return reader.wrong("content", "a string");
  TRY_ASSIGN(const std::string encoding, reader.text_or("encoding", "utf-8"));
  TRY_ASSIGN(file.content, decode(*content, encoding, path));
  TRY_ASSIGN(const auto executable, reader.flag("executable"));
  file.executable = executable.value_or(false);
  TRY(reader.finish());
  if (const Status good = check_path(file.path); !good) {
    return std::unexpected(good.error().context(path + ".path"));
  }
  return file;
}

// The text that set_limit reads, for a number in the field's unit.
Result<std::string> limit_text(const LimitField& field,
                               const json::value& value,
                               bool outcome_unit,
                               const std::string& path) {
  if (value.is_string() && !outcome_unit) return std::string(value.get_string());
  json::error_code error;
  const auto number = value.to_number<double>(error);
  if (error || !std::isfinite(number) || number < 0 || number > 1e18) {
    return fail(Code::kInvalid, path + ": must be " +
                                    (outcome_unit ? "a number" : "a number or a string such as ") +
                                    (outcome_unit ? "" : "\"2s\" or \"128M\""));
  }
  const bool whole = std::floor(number) == number;
  if (field.kind == LimitField::Kind::kDuration) {
    const double seconds = outcome_unit ? number / 1e3 : number;
    // Microseconds are as fine as set_limit reads.
    return std::to_string(static_cast<std::uint64_t>(std::llround(seconds * 1e6))) + "us";
  }
  if (field.kind == LimitField::Kind::kCpus) return json_text(json::value(number));
  if (!whole) return fail(Code::kInvalid, path + ": must be a whole number");
  return std::to_string(static_cast<std::uint64_t>(number));
}

}  // namespace

Result<std::vector<std::string>> read_environment(const json::value& value,
                                                  const std::string& path) {
  std::vector<std::string> list;
  const json::object* const object = value.if_object();
  if (object == nullptr) {
    return fail(Code::kInvalid, path + ": must be an object of names and strings");
  }
  for (const auto& member : *object) {
    const std::string name(member.key());
    if (!member.value().is_string()) {
      return fail(Code::kInvalid, path + "." + name + ": must be a string");
    }
    if (member.value().get_string().find('\0') != json::string::npos) {
      return fail(Code::kInvalid, path + "." + name + ": must not have a NUL byte");
    }
    if (name.empty() || name.find('=') != std::string::npos) {
      return fail(Code::kInvalid, path + ": a name must not be empty or hold '='");
    }
    list.push_back(name + "=" + std::string(member.value().get_string()));
  }
  return list;
}

Result<std::vector<File>> read_files(const json::value& value, const std::string& path) {
  const json::array* const list = value.if_array();
  if (list == nullptr || list->empty()) {
    return fail(Code::kInvalid, path + ": must be an array of at least one file");
  }
  if (list->size() > kMaxFiles) {
    return fail(Code::kInvalid, path + ": must be at most " + std::to_string(kMaxFiles) + " files");
  }
  std::vector<File> files;
  for (const json::value& each : *list) {
    TRY_ASSIGN(File file, read_file_entry(each, path + "[" + std::to_string(files.size()) + "]"));
    files.push_back(std::move(file));
  }
  return files;
}

Result<LimitOverrides> read_limits(const json::value& value, const std::string& path) {
  TRY_ASSIGN(JsonReader reader, JsonReader::of(value, path));
  LimitOverrides limits;
  for (const LimitField& field : limit_fields()) {
    std::string other(field.name);
    if (field.kind == LimitField::Kind::kDuration) other += "_ms";
    if (field.kind == LimitField::Kind::kBytes) other += "_bytes";
    const json::value* const plain = reader.find(field.name);
    const json::value* const as_outcome = other == field.name ? nullptr : reader.find(other);
    if (plain != nullptr && as_outcome != nullptr) {
      return fail(Code::kInvalid, reader.where(other) + ": the same limit stands there twice");
    }
    if (plain == nullptr && as_outcome == nullptr) continue;
    const std::string where =
        reader.where(as_outcome != nullptr ? std::string_view(other) : field.name);
    TRY_ASSIGN(const std::string text,
               limit_text(field, as_outcome != nullptr ? *as_outcome : *plain,
                          as_outcome != nullptr, where));
    if (const Status set = set_limit(limits, field.name, text); !set) {
      // Where it stands here, in place of what the command line would call it.
      const std::string& message = set.error().message;
      const std::string prefix = "limit " + std::string(field.name) + ": ";
      return fail(
          set.error().code,
          where + ": " + (message.starts_with(prefix) ? message.substr(prefix.size()) : message));
    }
  }
  TRY(reader.finish());
  return limits;
}

Result<std::string> read_content(const json::value& value, const std::string& path) {
  if (value.is_string()) return std::string(value.get_string());
  TRY_ASSIGN(JsonReader reader, JsonReader::of(value, path));
  TRY_ASSIGN(const auto content, reader.text("content"));
  if (!content) return reader.wrong("content", "a string");
  TRY_ASSIGN(const std::string encoding, reader.text_or("encoding", "utf-8"));
  TRY(reader.finish());
  return decode(*content, encoding, path);
}

Result<RunRequest> read_run_request(const json::value& value, const std::string& path) {
  TRY_ASSIGN(JsonReader reader, JsonReader::of(value, path));
  RunRequest request;
  Submission& submission = request.submission;
  TRY_ASSIGN(submission.language, reader.text_or("language", ""));
  TRY_ASSIGN(const auto source, reader.text("source"));
  const json::value* const files = reader.find("files");
  if (source.has_value() == (files != nullptr)) {
    return fail(Code::kInvalid, reader.where("source") + ": give either source or files");
  }
  TRY_ASSIGN(submission.entry, reader.text_or("entry", ""));
  if (source) {
    if (submission.language.empty()) {
      return fail(Code::kInvalid, reader.where("language") + ": must be given with source");
    }
    // Without a name yet: the language's manifest says what its program is called.
    submission.files.push_back({.path = submission.entry, .content = *source});
  } else {
    TRY_ASSIGN(submission.files, read_files(*files, reader.where("files")));
  }
  if (const json::value* const input = reader.find("stdin")) {
    TRY_ASSIGN(request.input, read_content(*input, reader.where("stdin")));
  }
  if (const json::value* const expected = reader.find("expected")) {
    TRY_ASSIGN(request.expected, read_content(*expected, reader.where("expected")));
  }
  TRY_ASSIGN(const std::string compare, reader.text_or("compare", "lenient"));
  if (compare != "lenient" && compare != "exact") {
    return reader.wrong("compare", "\"lenient\" or \"exact\"");
  }
  if (compare == "exact") request.compare = engine::Compare::kExact;
  TRY_ASSIGN(submission.args, reader.texts("args"));
  if (const json::value* const environment = reader.find("env")) {
    TRY_ASSIGN(submission.env, read_environment(*environment, reader.where("env")));
  }
  if (const json::value* const limits = reader.find("limits")) {
    TRY_ASSIGN(submission.limits, read_limits(*limits, reader.where("limits")));
  }
  TRY_ASSIGN(request.policy, reader.text_or("policy", ""));
  TRY_ASSIGN(submission.artifacts, reader.texts("artifacts"));
  TRY_ASSIGN(request.screening, reader.text_or("screening", ""));
  TRY_ASSIGN(request.output, reader.text_or("output", ""));
  if (!request.output.empty() && request.output != "plain" && request.output != "base64") {
    return reader.wrong("output", "\"plain\" or \"base64\"");
  }
  TRY_ASSIGN(request.webhook, reader.text_or("webhook", ""));
  if (const json::value* const labels = reader.find("labels")) {
    TRY_ASSIGN(request.labels, read_labels(*labels, reader.where("labels")));
  }
  TRY(reader.finish());
  return request;
}

Result<Labels> read_labels(const json::value& value, const std::string& path) {
  const json::object* const object = value.if_object();
  if (object == nullptr) return fail(Code::kInvalid, path + ": must be an object of strings");
  Labels labels;
  for (const auto& member : *object) {
    const json::string* const text = member.value().if_string();
    const Status good = check_label(member.key(), text == nullptr ? std::string_view() : *text);
    if (!good) {
      // Where it has a name, that is the field.
      const std::string& message = good.error().message;
      const bool named = message.starts_with(std::string(member.key()) + ": ");
      return fail(Code::kInvalid, path + (named ? "." : ": ") + message);
    }
    labels.emplace(member.key(), *text);
  }
  if (const Status good = check_labels(labels); !good) {
    return std::unexpected(good.error().context(path));
  }
  return labels;
}

namespace {

constexpr std::string_view kInteractive = "interactive";

// Takes out what no request has.
bool take_interactive(json::value& stored) {
  return stored.is_object() && stored.get_object().erase(kInteractive) > 0;
}

}  // namespace

Result<RunRequest> read_stored_request(const json::value& value) {
  json::value plain = value;
  const bool interactive = take_interactive(plain);
  TRY_ASSIGN(RunRequest request, read_run_request(plain, ""));
  request.interactive = interactive;
  return request;
}

Result<std::string> as_sent(const std::string& stored) {
  TRY_ASSIGN(json::value value, parse_json(stored));
  return take_interactive(value) ? json_text(value) : stored;
}

json::object to_value(const LimitOverrides& limits) {
  json::object object;
  for (const LimitField& field : limit_fields()) {
    if (field.wanted_duration != nullptr && limits.*field.wanted_duration) {
      // In microseconds, exactly.
      object[field.name] = std::to_string((limits.*field.wanted_duration)->count() / 1000) + "us";
    }
    if (field.wanted_number == nullptr || !(limits.*field.wanted_number)) continue;
    const std::uint64_t number = *(limits.*field.wanted_number);
    if (field.kind == LimitField::Kind::kCpus) {
      object[field.name] = static_cast<double>(number) / 1e3;
    } else {
      object[field.name] = number;
    }
  }
  return object;
}

std::string to_json(const RunRequest& request) {
  const Submission& submission = request.submission;
  json::array files;
  for (const File& file : submission.files) {
    const bool plain = is_valid_utf8(file.content);
    files.push_back({{"path", file.path},
                     {"content", plain ? file.content : base64_encode(file.content)},
                     {"encoding", plain ? "utf-8" : "base64"},
                     {"executable", file.executable}});
  }
  json::object environment;
  for (const std::string& variable : submission.env) {
    const std::size_t equals = variable.find('=');
    environment[variable.substr(0, equals)] = variable.substr(equals + 1);
  }
  json::object object{{"language", submission.language},
                      {"files", std::move(files)},
                      {"entry", submission.entry},
                      {"env", std::move(environment)},
                      {"limits", to_value(submission.limits)},
                      {"policy", request.policy},
                      {"screening", request.screening},
                      {"output", request.output},
                      {"webhook", request.webhook}};
  object["stdin"] = {{"content", base64_encode(request.input)}, {"encoding", "base64"}};
  if (request.expected) {
    object["expected"] = {{"content", base64_encode(*request.expected)}, {"encoding", "base64"}};
    object["compare"] = request.compare == engine::Compare::kExact ? "exact" : "lenient";
  }
  if (!request.labels.empty()) object["labels"] = json::value_from(request.labels);
  if (request.interactive) object[kInteractive] = true;
  object["args"] = json::array(submission.args.begin(), submission.args.end());
  object["artifacts"] = json::array(submission.artifacts.begin(), submission.artifacts.end());
  return json_text(object);
}

}  // namespace belljar::api
