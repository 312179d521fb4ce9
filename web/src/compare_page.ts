// Two runs side by side: what was different in the program, what came of it.
import { type Run, type RunRequest, requestOf, run as runOf } from "./api";
import { difference } from "./difference";
import { h } from "./dom";
import { bytes, milliseconds } from "./format";
import { ending } from "./words";

function programOf(request: RunRequest): string {
  if (typeof request.source === "string") return request.source;
  return (request.files ?? [])
    .map((file) => (request.files?.length === 1 ? "" : `# ${file.path}\n`) + file.content)
    .join("\n");
}

function differing(name: string, a: string, b: string): HTMLElement {
  const same = a === b;
  return h(
    "section",
    {},
    h("h2", {}, name),
    same
      ? h("p", { class: "muted" }, "The same in both.")
      : h(
          "pre",
          {
            class: "difference",
            tabindex: 0,
            role: "region",
            "aria-label": `${name}: what differs`,
          },
          ...difference(a, b).map((line) =>
            h(
              "span",
              { class: line.sign === "-" ? "out" : line.sign === "+" ? "in" : "" },
              `${line.sign} ${line.text}\n`,
            ),
          ),
        ),
  );
}

const output = (run: Run) =>
  (run.outcome?.stages ?? []).map((stage) => stage.stdout.text + stage.stderr.text).join("");

export function page(sheet: HTMLElement): () => void {
  document.title = "Compare · Belljar";
  const query = new URLSearchParams(location.search);
  const ids = [query.get("a") ?? "", query.get("b") ?? ""] as const;
  sheet.append(h("div", { class: "title" }, h("h1", {}, "Two runs")));
  let gone = false;
  Promise.all([runOf(ids[0]), runOf(ids[1]), requestOf(ids[0]), requestOf(ids[1])])
    .then(([a, b, first, second]) => {
      if (gone) return;
      const stages = [a.outcome?.stages.at(-1), b.outcome?.stages.at(-1)];
      const row = (name: string, values: (string | HTMLElement)[]) =>
        h("tr", {}, h("th", { scope: "row" }, name), ...values.map((value) => h("td", {}, value)));
      const use = (words: (stage: NonNullable<(typeof stages)[number]>) => string) =>
        stages.map((stage) => (stage === undefined ? "–" : words(stage)));
      sheet.append(
        h(
          "div",
          { class: "table-frame", role: "region", "aria-label": "How they ended", tabindex: 0 },
          h(
            "table",
            { class: "compare" },
            h(
              "thead",
              {},
              h(
                "tr",
                {},
                h("th", { scope: "col" }, h("span", { class: "unseen" }, "What")),
                ...ids.map((id, index) =>
                  h(
                    "th",
                    { scope: "col" },
                    h("a", { href: `/r/${id}` }, index === 0 ? "First run" : "Second run"),
                  ),
                ),
              ),
            ),
            h(
              "tbody",
              {},
              row(
                "How it ended",
                [a, b].map((run) => ending(run).sentence),
              ),
              row("Language", [a.language, b.language]),
              row(
                "Time",
                use((stage) => milliseconds(stage.usage.wall_ms)),
              ),
              row(
                "Processor",
                use((stage) => milliseconds(stage.usage.cpu_ms)),
              ),
              row(
                "Memory",
                use((stage) => bytes(stage.usage.peak_memory_bytes)),
              ),
              row(
                "Output",
                use((stage) => bytes(stage.stdout.total_bytes + stage.stderr.total_bytes)),
              ),
              row(
                "When",
                [a, b].map((run) => new Date(run.created_at).toLocaleString()),
              ),
            ),
          ),
        ),
        differing("Program", programOf(first), programOf(second)),
        differing("Output", output(a), output(b)),
      );
    })
    .catch((error: Error) => {
      sheet.append(
        h("p", {}, `They cannot be compared: ${error.message}.`),
        h("p", {}, h("a", { href: "/history" }, "Choose two in the history")),
      );
    });
  return () => {
    gone = true;
  };
}
