// For whoever runs the service: how it is now, from /metrics.
import { ask, get, Problem, type System } from "./api";
import { h, svg } from "./dom";
import { count, milliseconds } from "./format";
import { buckets, byLabel, parseMetrics, quantile, type Sample, total } from "./metrics";

const EVERY_MS = 2000;
const KEPT = 90;
const WINDOW = 30; // samples that percentiles look back

interface Moment {
  at: number;
  samples: Sample[];
}
type Series = { name: string; className: string; values: (number | null)[] };

function plot(title: string, series: Series[], words: (value: number) => string): HTMLElement {
  const values = series.flatMap((each) => each.values).filter((value) => value !== null);
  const top = Math.max(1e-9, ...values);
  const lines = series.map((each) => {
    const points = each.values
      .map((value, index) =>
        value === null
          ? null
          : `${(300 * (KEPT - each.values.length + index)) / (KEPT - 1)},${(58 - (54 * value) / top).toFixed(1)}`,
      )
      .filter((point) => point !== null);
    return svg("polyline", { points: points.join(" "), class: `series ${each.className}` });
  });
  const last = series.map((each) => ({ ...each, value: each.values.at(-1) ?? null }));
  const told = last
    .map((each) => `${each.name} ${each.value === null ? "none" : words(each.value)}`)
    .join(", ");
  return h(
    "figure",
    { class: "plot" },
    h(
      "figcaption",
      {},
      h("h2", {}, title),
      h(
        "span",
        { class: "muted" },
        values.length > 0 ? `up to ${words(Math.max(0, ...values))}` : "",
      ),
    ),
    svg(
      "svg",
      {
        viewBox: "0 0 300 60",
        preserveAspectRatio: "none",
        role: "img",
        "aria-label": `${title}: ${told}`,
      },
      svg("line", { x1: 0, x2: 300, y1: 58, y2: 58, class: "ground" }),
      ...lines,
    ),
    h(
      "ul",
      { class: "legend" },
      ...last.map((each) =>
        h(
          "li",
          {},
          h("i", { class: `dot ${each.className}` }),
          `${each.name} `,
          h("b", {}, each.value === null ? "–" : words(each.value)),
        ),
      ),
    ),
  );
}

function table(title: string, rows: [string, number][], none: string): HTMLElement {
  return h(
    "section",
    { class: "card" },
    h("h2", {}, title),
    rows.length === 0
      ? h("p", { class: "muted" }, none)
      : h(
          "dl",
          { class: "facts" },
          ...rows
            .slice(0, 10)
            .flatMap(([name, value]) => [
              h("dt", {}, name),
              h("dd", {}, value.toLocaleString("en")),
            ]),
        ),
  );
}

export function page(sheet: HTMLElement): () => void {
  document.title = "Status · Belljar";
  const sentence = h("h1", {}, "Status");
  const facts = h("p", { class: "muted" });
  const plots = h("div", { class: "plots" });
  const tables = h("div", { class: "plots" });
  sheet.append(h("div", { class: "title" }, sentence), facts, plots, tables);
  const moments: Moment[] = [];
  let timer = 0;
  let gone = false;

  const draw = () => {
    const now = moments.at(-1);
    if (now === undefined) return;
    const gaugeOf = (name: string) => moments.map((moment) => total(moment.samples, name));
    const rate = (of: (samples: readonly Sample[]) => number) =>
      moments.map((moment, index) => {
        const before = moments[index - 1];
        if (before === undefined) return null;
        return Math.max(
          0,
          ((of(moment.samples) - of(before.samples)) * 1000) / (moment.at - before.at),
        );
      });
    const rateOf = (name: string) => rate((samples) => total(samples, name));
    const startsOf = (start: string) =>
      rate((samples) => new Map(byLabel(samples, "belljar_starts_total", "start")).get(start) ?? 0);
    const percentile = (share: number, phase: string) =>
      moments.map((moment, index) => {
        const before = moments[Math.max(0, index - WINDOW)]?.samples ?? [];
        const of = (since: readonly Sample[]) =>
          quantile(share, buckets(moment.samples, since, "belljar_phase_seconds", { phase }));
        // Of the last minute; where nothing ran in it, of everything since the start.
        const seconds = of(before) ?? of([]);
        return seconds === null ? null : seconds * 1000;
      });
    const perSecond = (value: number) => `${value.toFixed(value > 0 && value < 10 ? 1 : 0)}/s`;
    plots.replaceChildren(
      plot(
        "Runs now",
        [
          { name: "running", className: "one", values: gaugeOf("belljar_runs_running") },
          { name: "waiting", className: "two", values: gaugeOf("belljar_runs_waiting") },
        ],
        String,
      ),
      plot(
        "Runs a second",
        [{ name: "ended", className: "one", values: rateOf("belljar_runs_total") }],
        perSecond,
      ),
      plot(
        "Requests a second",
        [{ name: "answered", className: "one", values: rateOf("belljar_http_requests_total") }],
        perSecond,
      ),
      plot(
        "Starts a second, by what waited",
        [
          { name: "interpreter", className: "one", values: startsOf("interpreter") },
          { name: "cell", className: "two", values: startsOf("cell") },
          { name: "nothing", className: "three", values: startsOf("cold") },
        ],
        perSecond,
      ),
      plot(
        "Refusals a second",
        [{ name: "refused", className: "three", values: rateOf("belljar_refusals_total") }],
        perSecond,
      ),
      ...(["queue", "build", "run"] as const).map((phase) =>
        plot(
          { queue: "Time in the queue", build: "Time to make a cell", run: "Time of the program" }[
            phase
          ],
          [
            { name: "half", className: "one", values: percentile(0.5, phase) },
            { name: "95 %", className: "two", values: percentile(0.95, phase) },
            { name: "99 %", className: "three", values: percentile(0.99, phase) },
          ],
          milliseconds,
        ),
      ),
    );
    tables.replaceChildren(
      table("How runs ended", byLabel(now.samples, "belljar_runs_total", "status"), "None yet."),
      table("Languages", byLabel(now.samples, "belljar_runs_total", "language"), "None yet."),
      table("Refusals", byLabel(now.samples, "belljar_refusals_total", "reason"), "None."),
      table(
        "Refused system calls",
        byLabel(now.samples, "belljar_denied_syscalls_total", "name"),
        "None.",
      ),
    );
  };

  const look = async () => {
    try {
      const [answer, system] = await Promise.all([ask("/metrics"), get<System>("/v1/system")]);
      const samples = parseMetrics(await answer.text());
      if (gone) return;
      moments.push({ at: performance.now(), samples });
      if (moments.length > KEPT) moments.shift();
      const { runs } = system;
      const ready = total(samples, "belljar_ready") === 1;
      sentence.textContent = !ready
        ? "It takes no new runs"
        : runs.waiting > 0
          ? `Busy: ${count(runs.waiting, "run")} waiting`
          : runs.running > 0
            ? `${count(runs.running, "run")} running, none waiting`
            : "Ready, nothing to do";
      facts.textContent = `Belljar ${system.version} on Linux ${system.kernel}; cgroups ${system.cgroup_mode}; up to ${runs.concurrent} runs at once and ${runs.queue.toLocaleString("en")} waiting.`;
      draw();
    } catch (error) {
      if (gone) return;
      sentence.textContent =
        error instanceof Problem ? "The metrics are not to be had" : "The service does not answer";
      facts.textContent = (error as Error).message;
    }
    if (!gone) timer = window.setTimeout(look, EVERY_MS);
  };
  void look();
  return () => {
    gone = true;
    window.clearTimeout(timer);
  };
}
