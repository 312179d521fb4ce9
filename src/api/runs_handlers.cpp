// Runs and batches over HTTP, as api/openapi.yaml describes them.
#include <boost/json.hpp>

#include "api/interactive_run.h"
#include "api/json_reader.h"
#include "api/problem.h"
#include "api/request_fields.h"
#include "api/run_stream.h"
#include "api/service.h"
#include "api/upload.h"
#include "base/id.h"
#include "base/text.h"
#include "model/json_text.h"

namespace belljar::api {
namespace {

namespace json = boost::json;

constexpr std::string_view kRunId = "X-Run-Id";  // names the run in the answer of a stream
constexpr std::size_t kMostInBatch = 1000;
constexpr std::size_t kMostBatchBytes = 16 * kMiB;

Response accepted(const Submitted& submitted) {
  Response response{.status = 202};
  response.body = json_text(json::object{{"id", submitted.id}, {"state", "queued"}});
  response.headers.emplace_back("Location", "/v1/runs/" + submitted.id);
  if (submitted.replayed) response.headers.emplace_back("Idempotency-Replayed", "true");
  return response;
}

// Answers when the run has ended.
void answer_at_end(const std::shared_ptr<LiveRun>& live, bool replayed, const Reply& reply) {
  live->on_end([live, replayed, reply] {
    if (const auto error = live->error()) {
      Response response = refusal(*error);
      response.headers.emplace_back("Location", "/v1/runs/" + live->id());
      return reply(std::move(response));
    }
    Response response{.body = live->run_json()};
    response.headers.emplace_back("Location", "/v1/runs/" + live->id());
    if (replayed) response.headers.emplace_back("Idempotency-Replayed", "true");
    reply(std::move(response));
  });
}

Result<std::vector<RunService::BatchInput>> read_inputs(JsonReader& reader) {
  const json::value* const inputs = reader.find("inputs");
  if (inputs == nullptr || !inputs->is_array() || inputs->get_array().empty() ||
      inputs->get_array().size() > kMostInBatch) {
    return reader.wrong("inputs", "an array of 1 to " + std::to_string(kMostInBatch) + " inputs");
  }
  std::vector<RunService::BatchInput> list;
  for (const json::value& each : inputs->get_array()) {
    const std::string path = "inputs[" + std::to_string(list.size()) + "]";
    TRY_ASSIGN(JsonReader input, JsonReader::of(each, path));
    RunService::BatchInput made;
    if (const json::value* const text = input.find("stdin")) {
      TRY_ASSIGN(made.input, read_content(*text, input.where("stdin")));
    }
    if (const json::value* const text = input.find("expected")) {
      TRY_ASSIGN(made.expected, read_content(*text, input.where("expected")));
    }
    TRY(input.finish());
    list.push_back(std::move(made));
  }
  return list;
}

}  // namespace

void Service::create_run(const Context& context, const Reply& reply) {
  const Request& request = context.request;
  if (closing_) return reply(problem(503, "Not available now", "the service is shutting down"));
  const auto after = last_event(request);
  if (!after) return reply(problem(after.error()));
  const Wish wish{
      .stream = asked(request, "stream"), .wait = asked(request, "wait"), .after = *after};
  SubmitOptions options;
  options.idempotency_key = request.header("idempotency-key").value_or("");
  options.answered_at_end = wish.wait && !wish.stream;
  auto upload = read_upload(request);
  if (!upload) return reply(problem(upload.error()));
  if (!*upload) {
    const auto run = [&request]() -> Result<RunRequest> {
      TRY_ASSIGN(const json::value value, json_body(request));
      return read_run_request(value, "");
    }();
    if (!run) return reply(problem(run.error()));
    return submit_and_answer(context.caller, *run, options, wish, reply);
  }
  // Unpacked in a cell first; only then is it known what it is.
  const Labels labels = (*upload)->request.labels;
  const Status queued =
      runs_.unpack(context.caller, std::move((*upload)->archive), labels,
                   [this, caller = context.caller, run = std::move((*upload)->request), options,
                    wish, reply](Result<std::vector<File>> files) mutable {
                     if (!files) return reply(refusal(files.error()));
                     run.submission.files = *std::move(files);
                     submit_and_answer(caller, std::move(run), options, wish, reply);
                   });
  if (!queued) reply(refusal(queued.error()));
}

void Service::submit_and_answer(const Caller& caller,
                                RunRequest run,
                                const SubmitOptions& options,
                                const Wish& wish,
                                const Reply& reply) {
  const auto submitted = runs_.submit(caller, std::move(run), options);
  if (!submitted) return reply(refusal(submitted.error()));
  if (wish.stream && submitted->live) return reply(stream_of(submitted->live, wish.after, kRunId));
  if (!wish.wait) return reply(accepted(*submitted));
  if (submitted->live) return answer_at_end(submitted->live, submitted->replayed, reply);
  const auto text = runs_.run_json(caller, submitted->id);
  if (!text) return reply(problem(text.error()));
  Response response{.body = *text};
  response.headers.emplace_back("Idempotency-Replayed", "true");
  reply(std::move(response));
}

void Service::list_runs(const Context& context, const Reply& reply) {
  const Request& request = context.request;
  ledger::Filter filter;
  if (!context.caller.may("admin")) filter.caller = context.caller.id;
  const auto wish = list_wish(request);
  if (!wish) return reply(problem(wish.error()));
  filter.state = wish->state;
  filter.language = request.parameter("language").value_or("");
  filter.batch = request.parameter("batch").value_or("");
  const auto page = store_.list(filter, wish->cursor, wish->limit);
  if (!page) {
    const bool wrong = page.error().code == Code::kInvalid;
    return reply(problem(wrong ? page.error().context("cursor") : page.error()));
  }
  std::string body = "{\"runs\":[";
  for (const ledger::Run& run : page->runs) {
    if (body.back() != '[') body += ',';
    body += to_json(run);
  }
  body += "],\"next\":" + (page->next.empty() ? "null" : json_text(json::value(page->next))) + "}";
  reply({.body = std::move(body)});
}

void Service::get_run(const Context& context, const Reply& reply) {
  const auto text = runs_.run_json(context.caller, context.path.at("id"));
  if (!text) return reply(problem(text.error()));
  if (asked(context.request, "wait")) {
    // Not in memory any more means that it has ended.
    if (const auto live = runs_.live(context.caller, context.path.at("id"))) {
      return (*live)->on_end([live = *live, reply] { reply({.body = live->run_json()}); });
    }
  }
  reply({.body = *text});
}

void Service::cancel_run(const Context& context, const Reply& reply) {
  const Status done = runs_.cancel(context.caller, context.path.at("id"));
  if (!done) {
    if (done.error().code == Code::kDenied)
      return reply(problem(409, "Too late", done.error().message));
    return reply(problem(done.error()));
  }
  reply({.status = 202,
         .body = json_text(json::object{{"id", context.path.at("id")}, {"state", "cancelling"}})});
}

void Service::run_events(const Context& context, const Reply& reply) {
  const auto after = last_event(context.request);
  if (!after) return reply(problem(after.error()));
  const std::string& id = context.path.at("id");
  if (const auto live = runs_.live(context.caller, id))
    return reply(stream_of(*live, *after, kRunId));
  // What a run said while it ran is kept for a while only; how it ended is kept.
  const auto text = runs_.run_json(context.caller, id);
  if (!text) return reply(problem(text.error()));
  const auto ended = std::make_shared<LiveRun>(id, context.caller.id);
  ended->end(*text, std::nullopt);
  reply(stream_of(ended, 0, kRunId));
}

void Service::list_artifacts(const Context& context, const Reply& reply) {
  const std::string& id = context.path.at("id");
  if (const auto run = runs_.find(context.caller, id); !run) return reply(problem(run.error()));
  const auto artifacts = store_.artifacts(id);
  if (!artifacts) return reply(problem(artifacts.error()));
  json::array list;
  for (const ledger::ArtifactInfo& each : *artifacts) {
    json::object& object =
        list.emplace_back(json::object{{"path", repair_utf8(each.path)}}).as_object();
    if (!is_valid_utf8(each.path)) object["path_base64"] = base64_encode(each.path);
    object["bytes"] = each.size;
    object["executable"] = each.executable;
  }
  reply({.body = json_text(json::object{{"artifacts", std::move(list)}})});
}

void Service::get_artifact(const Context& context, const Reply& reply) {
  const std::string& id = context.path.at("id");
  if (const auto run = runs_.find(context.caller, id); !run) return reply(problem(run.error()));
  const auto file = store_.artifact(id, context.path.at("path"));
  if (!file) return reply(problem(file.error()));
  reply(as_download(file->content));
}

Result<Service::BatchRequest> Service::read_batch(const Request& request) {
  TRY_ASSIGN(const json::value value, json_body(request));
  TRY_ASSIGN(JsonReader reader, JsonReader::of(value, ""));
  const json::value* const runs = reader.find("runs");
  const json::value* const program = reader.find("program");
  if ((runs == nullptr) == (program == nullptr)) {
    return fail(Code::kInvalid, "runs: give either runs, or program and inputs");
  }
  BatchRequest batch;
  if (program != nullptr) {
    TRY_ASSIGN(batch.inputs, read_inputs(reader));
    TRY(reader.finish());
    TRY_ASSIGN(batch.program, read_run_request(*program, "program"));
    return batch;
  }
  TRY(reader.finish());
  if (!runs->is_array() || runs->get_array().empty() || runs->get_array().size() > kMostInBatch) {
    return fail(Code::kInvalid,
                "runs: must be an array of 1 to " + std::to_string(kMostInBatch) + " runs");
  }
  for (const json::value& each : runs->get_array()) {
    TRY_ASSIGN(RunRequest run,
               read_run_request(each, "runs[" + std::to_string(batch.runs.size()) + "]"));
    batch.runs.push_back(std::move(run));
  }
  return batch;
}

void Service::create_batch(const Context& context, const Reply& reply) {
  if (closing_) return reply(problem(503, "Not available now", "the service is shutting down"));
  auto request = read_batch(context.request);
  if (!request) return reply(refusal(request.error()));
  const bool inputs = request->program.has_value();
  const std::size_t count = inputs ? request->inputs.size() : request->runs.size();
  if (!admit_batch(context.caller, inputs ? "inputs" : "runs", count, reply)) return;
  SubmitOptions options;
  options.idempotency_key = context.request.header("idempotency-key").value_or("");
  const auto batch = inputs
                         ? runs_.submit_inputs(context.caller, *request->program,
                                               std::move(request->inputs), options)
                         : runs_.submit_programs(context.caller, std::move(request->runs), options);
  if (!batch) return reply(refusal(batch.error()));
  json::array list;
  for (const RunService::Batch::Entry& each : batch->runs) {
    if (each.refusal.empty()) {
      list.push_back({{"id", each.id}, {"state", "queued"}});
    } else {
      list.push_back(
          {{"id", nullptr}, {"state", "rejected"}, {"reason", repair_utf8(each.refusal)}});
    }
  }
  Response response{.status = 202};
  response.body = json_text(json::object{{"id", batch->id}, {"runs", std::move(list)}});
  response.headers.emplace_back("Location", "/v1/batches/" + batch->id);
  if (batch->replayed) response.headers.emplace_back("Idempotency-Replayed", "true");
  reply(std::move(response));
}

void Service::get_batch(const Context& context, const Reply& reply) {
  ledger::Filter filter;
  filter.batch = context.path.at("id");
  if (!context.caller.may("admin")) filter.caller = context.caller.id;
  const auto page = store_.list(filter, "", ledger::kMaxPage);
  if (!page) return reply(problem(page.error()));
  if (page->runs.empty())
    return reply(problem(fail(Code::kNotFound, "there is no batch of this id").error()));
  std::string body = "{\"id\":" + json_text(json::value(filter.batch)) + ",\"runs\":[";
  std::size_t ended = 0;
  // The list is newest first; a batch is shown in the order it was sent.
  for (auto run = page->runs.rbegin(); run != page->runs.rend(); ++run) {
    if (body.back() != '[') body += ',';
    if (ledger::has_ended(run->state)) ++ended;
    // With their outcomes as long as the answer stays readable; each run can be asked for by id.
    const auto whole =
        body.size() < kMostBatchBytes ? store_.find(run->id) : Result<ledger::Run>(*run);
    body += to_json(whole ? *whole : *run);
  }
  body += "],\"ended\":" + std::to_string(ended) +
          ",\"total\":" + std::to_string(page->runs.size()) + "}";
  reply({.body = std::move(body)});
}

void Service::interact(const Context& context, const Reply& reply) {
  if (!context.request.upgrade) return reply(upgrade_required());
  Response response{.status = 101};
  response.socket = std::make_shared<InteractiveRun>(runs_, context.caller);
  reply(std::move(response));
}

}  // namespace belljar::api
