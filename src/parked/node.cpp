// An addon of Node's: the native side of an interpreter that waits in a parked cell for its run.
// node.js beside this is the other side.
//
// Of Node-API, which is the same in every version (nodejs.org/api/n-api.html), the few functions
// that are used are declared here.
//
// Runs in: the cell, as the program's process, behind every lock.
#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/environment.h"
#include "cell/handover.h"
#include "cell/parked_protocol.h"
#include "cell/steps.h"

// NOLINTBEGIN(readability-identifier-naming,bugprone-reserved-identifier): Node's names
extern "C" {
using napi_env = struct napi_env__*;
using napi_value = struct napi_value__*;
using napi_callback_info = struct napi_callback_info__*;
using napi_callback = napi_value (*)(napi_env, napi_callback_info);
int napi_create_function(
    napi_env, const char* name, std::size_t size, napi_callback, void* data, napi_value*);
int napi_create_object(napi_env, napi_value*);
int napi_create_array_with_length(napi_env, std::size_t, napi_value*);
int napi_create_string_utf8(napi_env, const char*, std::size_t, napi_value*);
int napi_set_element(napi_env, napi_value array, std::uint32_t, napi_value);
int napi_set_named_property(napi_env, napi_value object, const char* name, napi_value);
[[gnu::visibility("default")]] napi_value napi_register_module_v1(napi_env, napi_value exports);
}
// NOLINTEND(readability-identifier-naming,bugprone-reserved-identifier)

namespace belljar::parked {
namespace {

std::optional<cell::TakenRun> taken;

napi_value list_of(napi_env env, const std::vector<std::string>& texts) {
  napi_value list = nullptr;
  napi_create_array_with_length(env, texts.size(), &list);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    napi_value text = nullptr;
    napi_create_string_utf8(env, texts[i].data(), texts[i].size(), &text);
    napi_set_element(env, list, static_cast<std::uint32_t>(i), text);
  }
  return list;
}

// wait(): {argv, env} of the run, when it has come.
napi_value wait(napi_env env, napi_callback_info) {
  taken = cell::take_run(
      {.report = cell::kParkedReportFd, .park = cell::kParkedSocketFd, .box = cell::kParkedBoxFd});
  ::close(cell::kParkedSocketFd);
  // A program that came as a descriptor is not for an interpreter.
  if (taken->program >= 0) cell::execute_run(*taken, cell::Steps(cell::kParkedReportFd));
  napi_value run = nullptr;
  napi_create_object(env, &run);
  napi_set_named_property(env, run, "argv", list_of(env, taken->spec.argv));
  napi_set_named_property(env, run, "env", list_of(env, taken->spec.env));
  return run;
}

// begin(): the next is the program's first instruction.
napi_value begin(napi_env, napi_callback_info) {
  taken.reset();
  ::close(cell::kParkedReportFd);
  // As Node does with those that it finds when it begins.
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
  return nullptr;
}

// execute(): this run is not for an interpreter that is up already. Does not return.
napi_value execute(napi_env, napi_callback_info) {
  cell::execute_run(*taken, cell::Steps(cell::kParkedReportFd));
}

}  // namespace
}  // namespace belljar::parked

napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  belljar::forget_variable("NODE_OPTIONS");
  const auto offer = [env, exports](const char* name, napi_callback callback) {
    napi_value function = nullptr;
    napi_create_function(env, name, SIZE_MAX, callback, nullptr, &function);
    napi_set_named_property(env, exports, name, function);
  };
  offer("wait", belljar::parked::wait);
  offer("begin", belljar::parked::begin);
  offer("execute", belljar::parked::execute);
  return exports;
}
