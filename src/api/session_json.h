// Sessions and executions as the API and the ledger show them.
#pragma once

#include <boost/json/object.hpp>
#include <string>

#include "api/session_request.h"
#include "engine/session_host.h"
#include "ledger/store.h"

namespace belljar::api {

std::string to_json(const engine::SessionView& session);
// Of what to_json() has made of a session that was begun: how it ended, without having said so.
Result<std::string> lost_session_json(const std::string& session, const std::string& reason);
// Who holds it, by the same text; empty: this service.
Result<std::string> place_in(const std::string& session);

// What was executed, as the ledger keeps it.
std::string to_json(const std::string& session, const ExecutionRequest& request);
// How it ended; of one that was refused by its screening likewise.
std::string to_json(const engine::ExecutionEnd& end, ledger::State state);
std::string rejected_json(const engine::ExecutionOrder& order, const std::string& refusal);
// All there is of one that never came to an end of its own.
std::string cut_short_json(const ledger::Run& run, ledger::State state, const std::string& reason);

// As a list of the ledger's shows it.
boost::json::object list_value(const ledger::Run& execution);
std::string to_json(const engine::Session::FileList& list);

}  // namespace belljar::api
