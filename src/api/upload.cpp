#include "api/upload.h"

#include <algorithm>
#include <array>

#include "api/json_reader.h"
#include "base/text.h"

namespace belljar::api {
namespace {

constexpr std::array<std::string_view, 5> kArchiveTypes{"application/zip", "application/x-tar",
                                                        "application/gzip", "application/x-gzip",
                                                        "application/x-zip-compressed"};

// The value of `name="…"` or `name=…` among a header's parameters.
std::optional<std::string_view> parameter_of(std::string_view header, std::string_view name) {
  std::size_t at = header.find(';');
  while (at != std::string_view::npos) {
    std::string_view rest = header.substr(at + 1);
    while (rest.starts_with(' ')) rest.remove_prefix(1);
    at = header.find(';', at + 1);
    if (!rest.starts_with(name) || rest.substr(name.size(), 1) != "=") continue;
    rest.remove_prefix(name.size() + 1);
    if (!rest.starts_with('"')) return rest.substr(0, rest.find(';'));
    rest.remove_prefix(1);
    const std::size_t end = rest.find('"');
    if (end == std::string_view::npos) return std::nullopt;
    return rest.substr(0, end);
  }
  return std::nullopt;
}

struct Part {
  std::string_view name;
  std::string_view content;
};

Result<std::vector<Part>> split_form(std::string_view body, std::string_view boundary) {
  constexpr std::size_t kMostParts = 16;
  if (boundary.empty() || boundary.size() > 70) {
    return fail(Code::kInvalid, "content-type: the boundary must have 1 to 70 characters");
  }
  const std::string line = "\r\n--" + std::string(boundary);
  const auto wrong = [] { return fail(Code::kInvalid, "body: is not a well-formed form"); };
  std::vector<Part> parts;
  if (!body.starts_with(line.substr(2))) return wrong();
  body.remove_prefix(line.size() - 2);
  while (!body.starts_with("--")) {
    if (parts.size() == kMostParts || !body.starts_with("\r\n")) return wrong();
    const std::size_t head_end = body.find("\r\n\r\n");
    if (head_end == std::string_view::npos) return wrong();
    const std::string_view head = body.substr(0, head_end);
    body.remove_prefix(head_end + 4);
    const std::size_t end = body.find(line);
    if (end == std::string_view::npos) return wrong();
    const std::string lower = ascii_lower(head);
    const std::size_t disposition = lower.find("\r\ncontent-disposition:");
    if (disposition == std::string::npos) return wrong();
    std::string_view value = head.substr(disposition + 2);
    value = value.substr(0, value.find("\r\n"));
    const auto name = parameter_of(value, "name");
    if (!name) return wrong();
    parts.push_back({.name = *name, .content = body.substr(0, end)});
    body.remove_prefix(end + line.size());
  }
  return parts;
}

Result<RunRequest> read_query(const Request& request) {
  RunRequest run;
  Submission& submission = run.submission;
  std::string limits;
  std::string labels;
  for (const auto& [name, value] : request.query) {
    if (name == "language") {
      submission.language = value;
    } else if (name == "entry") {
      submission.entry = value;
    } else if (name == "policy") {
      run.policy = value;
    } else if (name == "screening") {
      run.screening = value;
    } else if (name == "stdin") {
      run.input = value;
    } else if (name == "arg") {
      submission.args.push_back(value);
    } else if (name == "env") {
      if (value.find('=') == std::string::npos)
        return fail(Code::kInvalid, "env: must be NAME=VALUE");
      submission.env.push_back(value);
    } else if (name == "artifact") {
      submission.artifacts.push_back(value);
    } else if (name == "limit") {
      limits += (limits.empty() ? "" : ",") + value;
    } else if (name == "label") {
      labels += (labels.empty() ? "" : ",") + value;
    } else if (name != "wait" && name != "stream" && name != "last_event_id") {
      return fail(Code::kInvalid, escape_for_terminal(cut_utf8(name, 100)) + ": unknown parameter");
    }
  }
  if (!limits.empty()) {
    auto parsed = parse_limits(limits);
    if (!parsed) return std::unexpected(parsed.error().context("limit"));
    submission.limits = *parsed;
  }
  auto parsed = parse_labels(labels);
  if (!parsed) return std::unexpected(parsed.error().context("label"));
  run.labels = *std::move(parsed);
  return run;
}

Result<Upload> read_form(const Request& request, std::string_view type) {
  TRY_ASSIGN(const auto parts,
             split_form(request.body, parameter_of(type, "boundary").value_or("")));
  Upload upload;
  bool has_archive = false;
  TRY_ASSIGN(upload.request, read_query(request));
  for (const Part& part : parts) {
    if (part.name == "archive") {
      if (has_archive) return fail(Code::kInvalid, "archive: stands twice");
      has_archive = true;
      upload.archive = part.content;
    } else if (part.name == "run") {
      TRY_ASSIGN(boost::json::value value, parse_json(part.content));
      if (!value.is_object() || value.get_object().contains("files") ||
          value.get_object().contains("source")) {
        return fail(Code::kInvalid, "run: must be an object without source and files");
      }
      // The files come from the archive; one stands in for them while the rest is read.
      value.get_object()["files"] = {{{"path", "archive"}, {"content", ""}}};
      TRY_ASSIGN(upload.request, read_run_request(value, "run"));
      upload.request.submission.files.clear();
    } else {
      return fail(Code::kInvalid,
                  escape_for_terminal(cut_utf8(part.name, 100)) + ": unknown part of the form");
    }
  }
  if (!has_archive) return fail(Code::kInvalid, "archive: the form has no such part");
  return upload;
}

}  // namespace

Result<std::optional<Upload>> read_upload(const Request& request) {
  const std::string_view type = request.header("content-type").value_or("");
  const std::string plain = request.media_type().value_or("");
  if (plain == "multipart/form-data") {
    TRY_ASSIGN(Upload upload, read_form(request, type));
    return std::optional(std::move(upload));
  }
  if (std::ranges::find(kArchiveTypes, plain) == kArchiveTypes.end())
    return std::optional<Upload>();
  Upload upload{.archive = request.body};
  TRY_ASSIGN(upload.request, read_query(request));
  return std::optional(std::move(upload));
}

}  // namespace belljar::api
