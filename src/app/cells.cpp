#include "app/cells.h"

#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>

#include "app/header_folders.h"
#include "base/text.h"
#include "model/builtin_policies.h"

namespace belljar::app {
namespace {

// Its pool begins with what most runs will ask for. A language whose toolchain is missing is told
// when it is asked for.
void fill_pool(warden::Client& warden,
               const api::Settings& settings,
               const runtime::Catalog& catalog) {
  const auto policy = builtin_policy(settings.policy);
  if (!warden.keep(static_cast<std::uint32_t>(settings.pool)) || !policy) return;
  engine::Engine engine(warden, catalog, *policy);
  for (const std::string_view language : comma_list(settings.prewarm)) {
    const auto manifest = catalog.by_name(language);
    if (!manifest) continue;
    const std::string entry = "main" + manifest->extensions.front();
    std::vector<std::string> texts{"\n"};
    // Where some programs begin with modules and some without, of either kind.
    const auto& warm = manifest->run.warm;
    if (warm && !warm->light.empty() && !warm->preload.empty()) {
      texts.push_back("import " + warm->preload.front() + "\n");
    }
    for (const std::string& text : texts) {
      Submission like;
      like.language = manifest->name;
      like.entry = entry;
      like.files.push_back({.path = entry, .content = text, .executable = false});
      (void)engine.expect(like).has_value();
    }
  }
}

engine::DispatcherSettings dispatcher_settings(const api::Settings& settings) {
  const long processors = std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN));
  struct sysinfo host{};
  ::sysinfo(&host);
  const std::uint64_t memory = host.totalram * host.mem_unit;
  engine::DispatcherSettings made;
  made.threads =
      settings.concurrent > 0 ? settings.concurrent : static_cast<std::size_t>(2 * processors);
  made.queue = settings.queue;
  made.queue_per_caller = settings.queue_per_caller;
  made.memory = settings.memory > 0 ? settings.memory : memory / 2;
  // A share of processors is a ceiling, not a reservation: how many run at once is `threads`.
  made.cpus_milli = UINT64_MAX / 2;
  return made;
}

}  // namespace

Cells::Cells(const api::Settings& settings,
             const runtime::Catalog& catalog,
             SupervisorLink& supervisor,
             api::Metrics& metrics)
    : settings_(settings),
      catalog_(catalog),
      supervisor_(supervisor),
      metrics_(metrics),
      limits_(dispatcher_settings(settings)),
      headers_(folders_of(settings.headers)),
      compiled_(settings.compile_cache, [&metrics](bool hit) {
        metrics.count("belljar_compile_cache_total", hit ? "result=\"hit\"" : "result=\"miss\"");
      }) {}

Result<std::unique_ptr<Cells>> Cells::open(const api::Settings& settings,
                                           const runtime::Catalog& catalog,
                                           SupervisorLink& supervisor,
                                           api::Metrics& metrics) {
  auto cells = std::unique_ptr<Cells>(new Cells(settings, catalog, supervisor, metrics));
  TRY_ASSIGN(warden::Client first, cells->connect());
  TRY_ASSIGN(cells->host_, first.host());
  cells->dispatcher_.emplace(cells->limits_, [self = cells.get()] { return self->connect(); });
  TRY_ASSIGN(Labels labels, parse_labels(settings.fleet_labels));
  cells->runner_.emplace(
      *cells->dispatcher_, catalog,
      engine::Reuse{.versions = &cells->versions_,
                    .cache = settings.compile_cache > 0 ? &cells->compiled_ : nullptr,
                    .tenant = {},
                    .headers = &cells->headers_},
      labels_here(std::move(labels)));
  return cells;
}

engine::SessionSettings Cells::session_settings() const {
  return {.most = settings_.sessions,
          .most_per_caller = settings_.sessions_per_caller,
          .spares = settings_.session_spares,
          .memory = limits_.memory,
          .queue_wait = settings_.queue_wait};
}

Result<warden::Client> Cells::connect() {
  const std::lock_guard lock(mutex_);
  if (first_) {
    if (auto client = first_->connect()) return client;
    first_.reset();
    metrics_.count("belljar_warden_restarts_total", "");
  }
  TRY_ASSIGN(Fd socket, supervisor_.request(GatewayMessage::kWarden));
  TRY_ASSIGN(first_, warden::Client::adopt(std::move(socket)));
  TRY(first_->host());
  fill_pool(*first_, settings_, catalog_);
  return first_->connect();
}

}  // namespace belljar::app
