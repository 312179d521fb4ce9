#include "app/settings_source.h"

#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "api/setting_fields.h"
#include "app/header_folders.h"
#include "app/submission_files.h"
#include "base/sys.h"
#include "base/text.h"

namespace belljar::app {
namespace {

constexpr std::size_t kMostBytes = 1 * kMiB;
constexpr std::string_view kUsualFile = "/etc/belljar/belljar.toml";

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

Result<std::string> usual_state_dir() {
  if (::geteuid() == 0) return "/var/lib/belljar";
  if (const std::string state = variable("XDG_STATE_HOME"); state.starts_with('/'))
    return state + "/belljar";
  if (const std::string home = variable("HOME"); home.starts_with('/'))
    return home + "/.local/state/belljar";
  return fail(Code::kInvalid, "state-dir: neither XDG_STATE_HOME nor HOME says where");
}

Status read_file_settings(api::Settings& settings, const Arguments& arguments) {
  std::string path(arguments.value("config").value_or(variable("BELLJAR_CONFIG")));
  if (path.empty()) {
    if (::access(std::string(kUsualFile).c_str(), F_OK) != 0) return {};
    path = kUsualFile;
  }
  TRY_ASSIGN(const std::string text, read_named(path, kMostBytes));
  return api::read_toml(settings, text, quote(path));
}

}  // namespace

Result<api::Settings> read_settings(const Arguments& arguments, api::Settings usual) {
  api::Settings settings = std::move(usual);
  TRY(read_file_settings(settings, arguments));
  std::vector<std::string> environment;
  for (char** each = environ; *each != nullptr; ++each) environment.emplace_back(*each);
  TRY(api::read_environment(settings, environment));
  for (const api::SettingField& field : api::kSettingFields) {
    if (!arguments.knows(field.name)) continue;
    if (field.kind == api::SettingField::Kind::kFlag) {
      if (arguments.has(field.name)) TRY(api::set(settings, field, "true"));
    } else if (const auto value = arguments.value(field.name)) {
      if (const Status done = api::set(settings, field, *value); !done) {
        return std::unexpected(done.error().context("--" + std::string(field.name)));
      }
    }
  }
  if (settings.state_dir.empty()) {
    TRY_ASSIGN(settings.state_dir, usual_state_dir());
  }
  if (!settings.state_dir.starts_with('/')) {
    return fail(Code::kInvalid, "state-dir: must be an absolute path");
  }
  if (settings.headers.empty()) settings.headers = usual_header_folder();
  if (settings.headers != kNoHeaders && !settings.headers.starts_with('/')) {
    return fail(Code::kInvalid, "headers: must be an absolute path or none");
  }
  TRY(api::check(settings));
  return settings;
}

}  // namespace belljar::app
