// What happened, in pictures: times, use against limits, refused calls, walls.
import type { Stage, Wall } from "./api";
import { h, svg } from "./dom";
import { bytes, count, milliseconds } from "./format";

const PHASES = [
  ["queue", "waited", "waiting for its turn"],
  ["build", "built", "making the cell"],
  ["run", "ran", "the program itself"],
  ["collect", "collected", "bringing files back"],
] as const;

export function phaseBar(stages: readonly Stage[]): HTMLElement {
  const parts = PHASES.map(([name, , what]) => ({
    name,
    what,
    ms: stages.reduce((sum, stage) => sum + stage.phases[`${name}_ms`], 0),
  }));
  const total = parts.reduce((sum, part) => sum + part.ms, 0) || 1;
  let x = 0;
  const bars = parts.map((part) => {
    // A phase that took next to nothing can still be seen.
    const width = Math.max(0.6, (part.ms / total) * 98);
    const bar = svg("rect", { x, y: 0, width, height: 12, class: `phase ${part.name}` });
    x += width + 0.4;
    return bar;
  });
  const words = parts.map((part) => `${part.name} ${milliseconds(part.ms)}`).join(", ");
  return h(
    "figure",
    { class: "phases" },
    svg(
      "svg",
      {
        viewBox: `0 0 ${x} 12`,
        preserveAspectRatio: "none",
        role: "img",
        "aria-label": `Times: ${words}`,
      },
      ...bars,
    ),
    h(
      "figcaption",
      {},
      ...parts.map((part) =>
        h(
          "span",
          { title: part.what },
          h("i", { class: `dot ${part.name}` }),
          `${part.name} `,
          h("b", {}, milliseconds(part.ms)),
        ),
      ),
    ),
  );
}

export function gauge(
  name: string,
  used: number,
  limit: number,
  words: (value: number) => string,
): HTMLElement {
  const share = limit > 0 ? Math.min(1, used / limit) : 0;
  const level = share > 0.95 ? "full" : share > 0.75 ? "high" : "";
  return h(
    "div",
    { class: "gauge" },
    h(
      "div",
      { class: "gauge-words" },
      h("span", {}, name),
      h("span", {}, h("b", {}, words(used)), ` of ${words(limit)}`),
    ),
    svg(
      "svg",
      {
        viewBox: "0 0 100 6",
        preserveAspectRatio: "none",
        role: "img",
        "aria-label": `${name}: ${words(used)} of ${words(limit)}`,
      },
      svg("rect", { x: 0, y: 0, width: 100, height: 6, class: "rail" }),
      svg("rect", {
        x: 0,
        y: 0,
        width: Math.max(share * 100, 0.8),
        height: 6,
        class: `level ${level}`,
      }),
    ),
  );
}

export function gauges(stage: Stage): HTMLElement {
  const { usage, limits } = stage;
  const output = stage.stdout.total_bytes + stage.stderr.total_bytes;
  return h(
    "div",
    { class: "gauges" },
    gauge("Time", usage.wall_ms, limits.wall_ms, milliseconds),
    gauge("Processor", usage.cpu_ms, limits.cpu_ms, milliseconds),
    gauge("Memory", usage.peak_memory_bytes, limits.memory_bytes, bytes),
    gauge("Processes", usage.peak_processes, limits.processes, String),
    gauge("Output", output, limits.output_bytes, bytes),
  );
}

export function deniedCalls(stage: Stage): HTMLElement | null {
  if (stage.denied_syscalls.length === 0) return null;
  return h(
    "section",
    { class: "denied" },
    h("h3", {}, "Refused by the kernel"),
    h(
      "ul",
      {},
      ...stage.denied_syscalls.map((call) =>
        h("li", {}, h("code", {}, call.name), ` ${count(call.count, "time")}`),
      ),
      stage.denied_more && h("li", {}, "and more"),
    ),
  );
}

const shield = (down: boolean) =>
  svg(
    "svg",
    { viewBox: "0 0 20 22", "aria-hidden": "true" },
    svg("path", { d: "M10 1.5 18 4v6.5c0 5-3.4 8.3-8 10-4.6-1.7-8-5-8-10V4z" }),
    svg("path", { d: down ? "M7 8l6 6M13 8l-6 6" : "M6.2 11l2.8 2.8 5-5.4", class: "sign" }),
  );

// A row of shields; the sentence of the one that has the focus or the pointer stands below.
export function shields(stage: Stage, walls: readonly Wall[]): HTMLElement {
  const standing = new Set(stage.walls);
  const known = walls.filter(
    (wall) => standing.has(wall.name) || stage.missing_walls.includes(wall.name),
  );
  const total = known.length;
  const first =
    stage.missing_walls.length === 0
      ? `All ${total} walls stood. Choose one to read what it does.`
      : `${standing.size} of ${total} walls stood. Choose one to read what it does.`;
  const explanation = h("p", { class: "explanation", id: `wall-words-${stage.stage}` }, first);
  return h(
    "section",
    { class: "walls" },
    h("h3", {}, "Walls"),
    h(
      "ul",
      { class: "shields" },
      ...known.map((wall) => {
        const down = !standing.has(wall.name);
        const words = `${wall.name}${down ? " (not standing)" : ""}: ${wall.explanation}`;
        const tell = () => {
          explanation.textContent = words;
        };
        return h(
          "li",
          {},
          h(
            "button",
            {
              type: "button",
              class: down ? "shield down" : "shield",
              "aria-label": words,
              title: wall.name,
              onclick: tell,
              onfocus: tell,
              onmouseenter: tell,
            },
            shield(down),
          ),
        );
      }),
    ),
    explanation,
  );
}

export function facts(stages: readonly Stage[], toolchain: string, policy: string): HTMLElement {
  const last = stages.at(-1);
  const rows: [string, string][] = [
    ["Toolchain", toolchain],
    ["Policy", policy],
  ];
  for (const stage of stages) {
    const end =
      stage.signal !== undefined
        ? `signal ${stage.signal}`
        : stage.exit_code !== undefined
          ? `exit code ${stage.exit_code}`
          : stage.reason;
    rows.push([
      stage.stage === "compile" ? "Compiler" : "Program",
      `${end}; ${milliseconds(stage.usage.wall_ms)}`,
    ]);
  }
  if (last !== undefined) rows.push(["Processes refused", String(last.events.process_limit_hits)]);
  return h(
    "dl",
    { class: "facts" },
    ...rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
  );
}
