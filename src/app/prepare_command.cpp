// `belljar prepare`: what can be made ahead of any program, made now.
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "app/exit_codes.h"
#include "app/header_folders.h"
#include "app/invocation.h"
#include "app/log.h"
#include "app/terminal.h"
#include "base/text.h"
#include "engine/precompile.h"
#include "runtime/catalog.h"

namespace belljar::app {
namespace {

struct Preparation {
  std::string folder;
  bool background = false;
  char** argv = nullptr;                 // as this program was called
  std::optional<warden::Client> warden;  // started for the first that needs it
};

Status precompile(Preparation& preparation,
                  const runtime::Manifest& manifest,
                  const runtime::Toolchain& toolchain) {
  if (!preparation.warden) {
    TRY_ASSIGN(preparation.warden, warden::Client::spawn(preparation.argv));
  }
  TRY_ASSIGN(const engine::MadeHeaders made,
             engine::precompile(*preparation.warden, manifest, toolchain));
  return engine::keep_headers(preparation.folder, manifest, toolchain, made);
}

void tell(const Preparation& preparation,
          const runtime::Manifest& manifest,
          const Status& done,
          std::string_view what) {
  const std::string text = done ? std::string(what) : done.error().message;
  if (preparation.background) {
    log_event("headers", {{"language", manifest.name}, {"result", text}});
  } else {
    say(manifest.title + ": " + text, done ? Colour::kNone : Colour::kRed);
  }
}

}  // namespace

Result<int> prepare_command(Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  Preparation preparation{.folder = std::string(arguments.value("headers").value_or("")),
                          .background = arguments.has("background"),
                          .argv = invocation.argv,
                          .warden = std::nullopt};
  if (preparation.folder.empty()) preparation.folder = usual_header_folder();
  if (preparation.folder == kNoHeaders || !preparation.folder.starts_with('/')) {
    return fail(Code::kInvalid, "headers: " + quote(preparation.folder) + " is no absolute path");
  }
  ::umask(022);  // cells read it with uids of their own
  if (preparation.background) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    // The cells inherit it: what is asked for now goes first.
    (void)!::nice(19);
  }
  TRY_ASSIGN(const runtime::Catalog catalog,
             runtime::Catalog::open(std::string(arguments.value("runtimes").value_or(""))));
  const engine::HeaderStore store({preparation.folder});
  bool good = true;
  for (const std::string& name : catalog.names()) {
    TRY_ASSIGN(const runtime::Manifest manifest, catalog.by_name(name));
    if (!manifest.precompile) continue;
    const auto toolchain = runtime::detect(manifest);
    if (!toolchain) continue;
    if (!store.find(manifest, *toolchain).empty()) {
      tell(preparation, manifest, {}, "the headers are there");
      continue;
    }
    const Status done = precompile(preparation, manifest, *toolchain);
    good = good && done.has_value();
    tell(preparation, manifest, done, "the headers are made");
  }
  return good ? kExitOk : kExitTrouble;
}

}  // namespace belljar::app
