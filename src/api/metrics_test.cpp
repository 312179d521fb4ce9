#include "api/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace belljar::api {
namespace {

using ::testing::HasSubstr;

TEST(Metrics, CountersHistogramsAndGauges) {
  Metrics metrics;
  metrics.count("belljar_refusals_total", "reason=\"rate\"");
  metrics.count("belljar_refusals_total", "reason=\"rate\"", 2);
  metrics.observe("belljar_http_request_seconds", "route=\"/x\"", std::chrono::microseconds(1500));
  metrics.observe("belljar_http_request_seconds", "route=\"/x\"", std::chrono::hours(1));
  const std::string page = metrics.text({{"belljar_runs_waiting", 3}});
  EXPECT_THAT(page, HasSubstr("# TYPE belljar_refusals_total counter\n"));
  EXPECT_THAT(page, HasSubstr("belljar_refusals_total{reason=\"rate\"} 3\n"));
  EXPECT_THAT(page,
              HasSubstr("belljar_http_request_seconds_bucket{route=\"/x\",le=\"0.001\"} 0\n"));
  EXPECT_THAT(page,
              HasSubstr("belljar_http_request_seconds_bucket{route=\"/x\",le=\"0.002\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("belljar_http_request_seconds_bucket{route=\"/x\",le=\"60\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("belljar_http_request_seconds_bucket{route=\"/x\",le=\"+Inf\"} 2\n"));
  EXPECT_THAT(page, HasSubstr("belljar_http_request_seconds_count{route=\"/x\"} 2\n"));
  EXPECT_THAT(page, HasSubstr("belljar_runs_waiting 3\n"));
}

TEST(Metrics, AnOutcomeIsCountedByLanguageStatusPhaseAndDenial) {
  Metrics metrics;
  Outcome outcome;
  outcome.language = "python";
  outcome.status = RunStatus::kTimeout;
  outcome.stages.push_back({.kind = StageKind::kRun, .denied = {{.name = "ptrace", .count = 4}}});
  metrics.outcome(outcome);
  const std::string page = metrics.text({});
  EXPECT_THAT(page, HasSubstr("belljar_runs_total{language=\"python\",status=\"timeout\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("belljar_denied_syscalls_total{name=\"ptrace\"} 4\n"));
  EXPECT_THAT(page, HasSubstr("belljar_starts_total{stage=\"run\",start=\"cold\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("belljar_phase_seconds_count{stage=\"run\",phase=\"teardown\"} 1\n"));
}

}  // namespace
}  // namespace belljar::api
