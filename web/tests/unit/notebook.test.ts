import { expect, it } from "vitest";
import { spansOf } from "../../src/notebook/ansi";
import { frameSource, guessedHeight } from "../../src/notebook/frame";
import {
  Malformed,
  MOST_BYTES,
  readFile,
  readNotebook,
  writeNotebook,
} from "../../src/notebook/ipynb";
import {
  addOutput,
  addText,
  makeCell,
  type Notebook,
  type Output,
  shortened,
} from "../../src/notebook/model";
import type { Execution, Session } from "../../src/notebook/session";
import { costOf, ofExecution, ofStand } from "../../src/notebook/words";

// ---- Files ----

const OUTPUTS: Output[] = [
  { type: "stream", name: "stdout", text: "one\ntwo\n" },
  { type: "stream", name: "stderr", text: "no end of line" },
  {
    type: "display",
    main: true,
    count: 3,
    data: { "text/plain": "21", "text/html": "<b>21</b>\n", "application/json": { a: [1, null] } },
    metadata: { isolated: true },
  },
  { type: "display", main: false, count: null, data: { "image/png": "iVBORw0K" }, metadata: {} },
  {
    type: "error",
    name: "ValueError",
    value: "no",
    traceback: "Traceback\n  line\nValueError: no",
  },
];

function sample(): Notebook {
  const code = { ...makeCell("code", "x = 1\nx"), count: 3, outputs: OUTPUTS };
  const text = { ...makeCell("markdown", "# Title\n"), metadata: { tags: ["a"] } };
  text.attachments = { "a.png": { "image/png": "iVBORw0K" } };
  return { metadata: { title: "mine" }, cells: [code, text, makeCell("raw", "as it is")] };
}

it("a notebook that is saved and opened is the same", () => {
  const before = sample();
  const after = readNotebook(writeNotebook(before));
  expect(after.cells).toEqual(before.cells);
  expect(after.metadata.title).toBe("mine");
  expect(readNotebook(writeNotebook(after))).toEqual(after);
});

it("what is saved is nbformat 4.5", () => {
  const file = JSON.parse(writeNotebook(sample()));
  expect([file.nbformat, file.nbformat_minor]).toEqual([4, 5]);
  expect(file.metadata.kernelspec).toEqual({
    display_name: "Python 3",
    language: "python",
    name: "python3",
  });
  const [code, text, raw] = file.cells;
  expect(code.id).toMatch(/^[a-zA-Z0-9_-]{1,64}$/);
  expect(code.source).toEqual(["x = 1\n", "x"]);
  expect(code.outputs).toEqual([
    { output_type: "stream", name: "stdout", text: ["one\n", "two\n"] },
    { output_type: "stream", name: "stderr", text: ["no end of line"] },
    {
      output_type: "execute_result",
      execution_count: 3,
      data: {
        "text/plain": ["21"],
        "text/html": ["<b>21</b>\n"],
        "application/json": { a: [1, null] },
      },
      metadata: { isolated: true },
    },
    { output_type: "display_data", data: { "image/png": "iVBORw0K" }, metadata: {} },
    {
      output_type: "error",
      ename: "ValueError",
      evalue: "no",
      traceback: ["Traceback", "  line", "ValueError: no"],
    },
  ]);
  expect(text).toMatchObject({ cell_type: "markdown", attachments: { "a.png": {} } });
  expect("outputs" in text || "execution_count" in text || "attachments" in raw).toBe(false);
});

it("an older notebook without ids gets them, and a repeated one another", () => {
  const old = readNotebook(
    '{"nbformat": 4, "nbformat_minor": 2, "cells": [{"cell_type": "code", "source": ["a"], "outputs": []},' +
      '{"cell_type": "markdown", "id": "same", "source": ""}, {"cell_type": "markdown", "id": "same", "source": ""}]}',
  );
  const ids = old.cells.map((cell) => cell.id);
  expect(new Set(ids).size).toBe(3);
  expect(ids).toContain("same");
});

const cell = (more: object) => ({
  nbformat: 4,
  cells: [{ cell_type: "code", source: "", outputs: [], ...more }],
});
const output = (more: object) => cell({ outputs: [more] });

it.each([
  ["[1, 2", /^the file is not JSON: /],
  ["[]", "the file is JSON, but no notebook: it must be an object"],
  ["{}", "nbformat: must be a number; this is no notebook"],
  [{ nbformat: 3, worksheets: [] }, "nbformat: is 3; only 4 can be opened"],
  [{ nbformat: 4 }, "cells: must be a list"],
  [{ nbformat: 4, cells: {} }, "cells: must be a list"],
  [
    { nbformat: 4, cells: new Array(1001).fill({ cell_type: "raw", source: "" }) },
    "cells: has 1,001 entries; at most 1,000",
  ],
  [{ nbformat: 4, cells: [7] }, "cells[0]: must be an object"],
  [{ nbformat: 4, metadata: [], cells: [] }, "metadata: must be an object"],
  [cell({ cell_type: "script" }), 'cells[0].cell_type: must be "code", "markdown" or "raw"'],
  [cell({ source: 7 }), "cells[0].source: must be a text or a list of texts"],
  [cell({ source: ["a", {}] }), "cells[0].source[1]: must be a text"],
  [
    cell({ source: "x".repeat(1_000_001) }),
    "cells[0].source: has 1,000,001 characters; at most 1,000,000",
  ],
  [cell({ id: "<b>" }), "cells[0].id: must be 1 to 64 letters, digits, - and _"],
  [cell({ id: "x".repeat(65) }), "cells[0].id: must be 1 to 64 letters, digits, - and _"],
  [cell({ outputs: "x" }), "cells[0].outputs: must be a list"],
  [cell({ outputs: new Array(501).fill({}) }), "cells[0].outputs: has 501 entries; at most 500"],
  [
    output({ output_type: "script" }),
    'cells[0].outputs[0].output_type: must be "stream", "display_data", "execute_result" or "error", and is "script"',
  ],
  [
    output({ output_type: "stream", name: "other", text: "" }),
    'cells[0].outputs[0].name: must be "stdout" or "stderr"',
  ],
  [
    output({ output_type: "stream", name: "stdout", text: 1 }),
    "cells[0].outputs[0].text: must be a text or a list of texts",
  ],
  [
    output({ output_type: "display_data", data: [] }),
    "cells[0].outputs[0].data: must be an object",
  ],
  [
    output({ output_type: "display_data", data: { "text/html": { a: 1 } } }),
    'cells[0].outputs[0].data["text/html"]: must be a text or a list of texts',
  ],
  [
    output({ output_type: "error", ename: "a", evalue: "b", traceback: "x" }),
    "cells[0].outputs[0].traceback: must be a list",
  ],
  [
    `{"nbformat": 4, "cells": [], "metadata": ${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}}`,
    "the notebook is nested deeper than 64 levels",
  ],
])("a notebook that is none is refused by name: %#", (content, words) => {
  const file = typeof content === "string" ? content : JSON.stringify(content);
  const open = () => readFile(new TextEncoder().encode(file));
  expect(open).toThrow(Malformed);
  expect(open).toThrow(words);
});

it("a file that is too large, or no text, is refused", () => {
  expect(() => readFile(new Uint8Array(MOST_BYTES + 1))).toThrow(
    /the file has 16 MiB; a notebook may have 16 MiB/,
  );
  expect(() => readFile(new Uint8Array([0x7b, 0xff]))).toThrow("the file is not a text in UTF-8");
});

it("names that objects have by themselves are names like others", () => {
  const read = readNotebook(
    '{"nbformat": 4, "metadata": {"__proto__": {"polluted": 1}}, "cells": [{"cell_type": "code", "source": "",' +
      '"outputs": [{"output_type": "display_data", "data": {"__proto__": "x", "text/plain": "y"}}]}]}',
  );
  expect(({} as { polluted?: number }).polluted).toBeUndefined();
  const [shown] = read.cells[0]?.outputs ?? [];
  expect(shown?.type === "display" && Object.keys(shown.data)).toEqual(["__proto__", "text/plain"]);
  expect(writeNotebook(read)).toContain('"polluted": 1');
});

// ---- Outputs ----

it("pieces of one stream are one output, and a long one keeps its two ends", () => {
  const outputs: Output[] = [];
  addText(outputs, "stdout", "a");
  addText(outputs, "stdout", "b");
  addText(outputs, "stderr", "c");
  addText(outputs, "stdout", "d");
  expect(outputs.map((each) => each.type === "stream" && each.text)).toEqual(["ab", "c", "d"]);
  const long: Output[] = [];
  for (let at = 0; at < 50_000; ++at) addText(long, "stdout", `${String(at).padStart(9)}\n`);
  const [only] = long;
  const text = only?.type === "stream" ? only.text : "";
  expect(long.length).toBe(1);
  expect(text.length).toBeLessThan(151_000);
  expect(text.startsWith("        0\n")).toBe(true);
  expect(text.endsWith("    49999\n")).toBe(true);
  expect(text.match(/are left out/g)?.length).toBe(1);
  const gone = Number(/… ([\d,]+) characters/.exec(text)?.[1]?.replace(/,/g, ""));
  expect(gone + text.replace(/\n… .* …\n/, "").length).toBe(500_000);
});

it("a text that is short enough stays as it is", () => {
  expect(shortened("abc", 10)).toBe("abc");
  expect(shortened("a".repeat(10), 10)).toBe("a".repeat(10));
  expect(shortened("abcdefghijkl", 10)).toBe("abcde\n… 2 characters are left out …\nhijkl");
});

it("a cell shows so many outputs and no more", () => {
  const outputs: Output[] = [];
  for (let at = 0; at < 2000; ++at) {
    addOutput(outputs, { type: "display", main: false, count: null, data: {}, metadata: {} });
  }
  expect(outputs.length).toBe(501);
  expect(outputs[500]).toMatchObject({ type: "stream", name: "stderr" });
});

// ---- Escapes ----

const texts = (words: string) => spansOf(words).map((span) => [span.text, span.classes]);

it("colours of a terminal are kept, and nothing else that it does", () => {
  expect(texts("a \x1b[1;31mred\x1b[0m b")).toEqual([
    ["a ", ""],
    ["red", "a-bold a-1"],
    [" b", ""],
  ]);
  expect(texts("\x1b[38;5;196mred\x1b[39m\x1b[38;2;0;0;255mblue")).toEqual([
    ["red", "a-1"],
    ["blue", "a-4"],
  ]);
  const quiet = [
    "\x1b]0;owned\x07",
    "\x1b]8;;http://192.0.2.1/\x1b\\",
    "\x1b]52;c;c3RvbGVu\x07",
    "\x1bPq data \x1b\\",
    "\x1b[21t",
    "\x1b[2J\x1b[H",
    "\x1b[?1049h",
    "\x1bc",
    "\x9b31m".replace("31m", "5A"),
    "\x00\x07\x7f",
  ];
  for (const each of quiet) expect(texts(`a${each}b`), JSON.stringify(each)).toEqual([["ab", ""]]);
  expect(texts("a\x1b")).toEqual([["a", ""]]);
  expect(texts("a\x1b[")).toEqual([["a", ""]]);
  expect(texts("a\x1b]0;no end")).toEqual([["a", ""]]);
});

it("a line that is written anew is shown once", () => {
  expect(texts("10%\r50%\r100%\ndone\r\n")).toEqual([["100%\ndone\n", ""]]);
  expect(texts("ab\bc\n")).toEqual([["ac\n", ""]]);
});

it("a flood of escapes makes so many pieces and no more", () => {
  const spans = spansOf("\x1b[31ma\x1b[0mb".repeat(20_000));
  expect(spans.length).toBeLessThan(5100);
  expect(spans.map((span) => span.text).join("")).toBe("ab".repeat(20_000));
});

// ---- Frames ----

it("the policy of a frame stands before everything in it", () => {
  const source = frameSource("</head><script>1</script>", false);
  const policy = source.indexOf("default-src 'none'");
  expect(policy).toBeGreaterThan(0);
  expect(policy).toBeLessThan(source.indexOf("<script>"));
  expect(source).not.toContain("script-src");
});

it("a frame is about as high as its table", () => {
  const rows = (count: number) => `<table>${"<tr><td>1</td></tr>".repeat(count)}</table>`;
  expect(guessedHeight("<b>x</b>")).toBeLessThan(80);
  expect(guessedHeight(rows(5))).toBeGreaterThan(guessedHeight(rows(2)));
  expect(guessedHeight(rows(5000))).toBe(420);
  expect(guessedHeight("<".repeat(4_000_000))).toBe(420);
});

// ---- Words ----

const done = (more: Partial<Execution>): Execution => ({
  id: "exe_1",
  session: "ses_1",
  state: "done",
  status: "ok",
  usage: { wall_ms: 12.4, cpu_ms: 3, peak_memory_bytes: 10 * 1024 * 1024 },
  ...more,
});

it("says how an execution ended", () => {
  const limits = { wall_ms: 10_000, cpu_ms: 1000, output_bytes: 1024 } as NonNullable<
    Execution["limits"]
  >;
  const words = (more: Partial<Execution>) => ofExecution(done({ limits, ...more })).words;
  expect(words({})).toBe("Done");
  expect(words({ status: "error", error: { name: "E", value: "", traceback: "" } })).toBe(
    "Failed: E",
  );
  expect(words({ status: "interrupted" })).toBe("Interrupted after 12 ms; the state stays");
  expect(words({ status: "timeout", clock: "wall" })).toMatch(/ran longer than 10 s/);
  expect(words({ status: "timeout", clock: "cpu" })).toMatch(/more than 1 s of processor time/);
  expect(words({ status: "output_limit" })).toMatch(/more than 1 KiB/);
  expect(words({ status: "exited", exit_code: 3 })).toMatch(
    /exit code 3; the next cell has a fresh/,
  );
  expect(words({ status: "died", signal: "SIGSEGV" })).toMatch(/ended by SIGSEGV/);
  expect(
    words({ status: "ended", ended_by: "memory_limit", reason: "memory over 256.0 MiB" }),
  ).toBe("The session ended: its memory was over (memory over 256.0 MiB)");
  expect(words({ status: "rejected", reason: "line 1: eval" })).toBe(
    "Refused by the screening: line 1: eval",
  );
  for (const state of ["cancelled", "lost"] as const) {
    expect(words({ state, reason: "why" })).toBe("Not executed: why");
  }
});

it("says what an execution cost, and what it was refused", () => {
  expect(costOf(done({ denied_syscalls: [{ name: "mount", count: 2 }] }))).toEqual([
    "12 ms in all",
    "3 ms of processor",
    "10 MiB of memory",
    "refused by the kernel: mount 2 times",
  ]);
});

it("says how the session stands", () => {
  expect(ofStand({ kind: "none" }).badge).toBe("No session");
  const live = (state: Session["state"], running: boolean) => {
    const limits = { memory_bytes: 1 << 28 };
    const session = { state, limits, idle_ms: 60_000, ttl_ms: 3_600_000 } as Session;
    return ofStand({ kind: "live", session, running });
  };
  expect(live("running", true).badge).toBe("Running");
  expect(live("idle", false)).toMatchObject({
    badge: "Idle",
    words: expect.stringMatching(/ends after 1 min without/),
  });
  expect(live("paused", false)).toMatchObject({
    badge: "Paused",
    words: expect.stringMatching(/until it is resumed/),
  });
  expect(ofStand({ kind: "gone", reason: "nothing was executed for 30m" }).words).toBe(
    "The session has ended: nothing was executed for 30m.",
  );
});
