// The runs of this browser, or of the key.
import { get, key, Problem, type Run, run as runOf } from "./api";
import { h } from "./dom";
import { ago, milliseconds } from "./format";
import { forget, remembered } from "./history";
import { statusTone, statusWord } from "./words";

const PAGE = 100;

async function mine(): Promise<Run[]> {
  const { runs } = await get<{ runs: Run[] }>(`/v1/runs?limit=${PAGE}`);
  if (key() !== "") return runs;
  // Several browsers may come from one address: each sees what it asked for itself.
  const kept = remembered().slice(0, PAGE);
  const known = new Map(runs.map((run) => [run.id, run]));
  const gone = new Set<string>();
  for (const { id } of kept) {
    if (known.has(id)) continue;
    try {
      known.set(id, await runOf(id));
    } catch (error) {
      if (error instanceof Problem && error.status === 404) gone.add(id);
    }
  }
  forget(gone);
  return kept.flatMap(({ id }) => known.get(id) ?? []);
}

function took(run: Run): string {
  if (run.started_at === null || run.finished_at === null) return "";
  return milliseconds(Date.parse(run.finished_at) - Date.parse(run.started_at));
}

export function page(sheet: HTMLElement, open: (path: string) => void): () => void {
  document.title = "History · Belljar";
  const chosen = new Set<string>();
  const compare = h(
    "button",
    { type: "button", class: "primary", id: "compare", disabled: true },
    "Compare two",
  );
  compare.addEventListener("click", () => {
    const [a = "", b = ""] = chosen;
    open(`/compare?a=${encodeURIComponent(a)}&b=${encodeURIComponent(b)}`);
  });
  const body = h("tbody");
  const hint = h("p", { class: "muted" }, "Looking them up");
  sheet.append(
    h("div", { class: "title" }, h("h1", {}, "History"), compare),
    hint,
    h(
      "div",
      { class: "table-frame", role: "region", "aria-label": "Runs", tabindex: 0 },
      h(
        "table",
        { class: "runs" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ...["Compare", "How it ended", "Program", "Language", "Took", "When"].map((name) =>
              h("th", { scope: "col" }, name),
            ),
          ),
        ),
        body,
      ),
    ),
  );
  let gone = false;
  mine()
    .then((runs) => {
      if (gone) return;
      const titles = new Map(remembered().map((each) => [each.id, each.title]));
      hint.textContent =
        runs.length === 0
          ? "No runs yet. They appear here when you have run something."
          : key() === ""
            ? "What this browser ran. Choose two to compare them."
            : "What was run with your key.";
      body.replaceChildren(
        ...runs.map((run) => {
          const box = h("input", { type: "checkbox", "aria-label": `Compare ${run.id}` });
          box.addEventListener("change", () => {
            if (box.checked) chosen.add(run.id);
            else chosen.delete(run.id);
            compare.disabled = chosen.size !== 2;
          });
          return h(
            "tr",
            {},
            h("td", {}, box),
            h(
              "td",
              {},
              h("span", { class: "badge", "data-tone": statusTone(run) }, statusWord(run)),
            ),
            h(
              "td",
              { class: "wide" },
              h("a", { href: `/r/${run.id}` }, titles.get(run.id) || run.id),
            ),
            h("td", {}, run.language),
            h("td", { class: "number" }, took(run)),
            h(
              "td",
              {},
              h("time", { datetime: run.created_at, title: run.created_at }, ago(run.created_at)),
            ),
          );
        }),
      );
    })
    .catch((error: Error) => {
      hint.textContent = `The runs cannot be listed: ${error.message}`;
    });
  return () => {
    gone = true;
  };
}
