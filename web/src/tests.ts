// One program over many inputs: what it should write, what it wrote.
import { type Batch, get, type Problem, post, type Run, requestOf, textOf } from "./api";
import type { Bench } from "./bench";
import { announce, h } from "./dom";
import { bytes, count, milliseconds } from "./format";
import { verdict } from "./words";

const CASES = "belljar.cases";
const MOST_SHOWN = 200;

interface Case {
  stdin: string;
  expected: string;
}

interface Row {
  element: HTMLTableRowElement;
  stdin: HTMLTextAreaElement;
  expected: HTMLTextAreaElement;
  verdict: HTMLElement;
  time: HTMLElement;
  memory: HTMLElement;
  answer: HTMLElement;
}

export class TestsPanel {
  readonly element: HTMLElement;
  private rows: Row[] = [];
  private readonly body = h("tbody");
  private readonly headline = h("h1", { class: "sentence", id: "tests-sentence" }, "Tests");
  private readonly notes = h("div", { class: "notes" });
  private turn = 0;

  constructor(
    private readonly bench: Bench,
    private readonly go: (path: string) => void,
  ) {
    const add = h("button", { type: "button", class: "quiet", id: "add-test" }, "Add a test");
    add.addEventListener("click", () => {
      this.add({ stdin: "", expected: "" });
      this.rows.at(-1)?.stdin.focus();
    });
    this.element = h(
      "section",
      { class: "result tests", "aria-labelledby": "tests-sentence" },
      h("header", { class: "verdict" }, this.headline, this.notes),
      h(
        "div",
        { class: "table-frame", role: "region", "aria-label": "Tests", tabindex: 0 },
        h(
          "table",
          { class: "cases" },
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              ...["", "Input", "Expected output", "Verdict", "Time", "Memory", ""].map((name) =>
                h(
                  "th",
                  { scope: "col" },
                  name || h("span", { class: "unseen" }, "Number or removal"),
                ),
              ),
            ),
          ),
          this.body,
        ),
      ),
      h("div", { class: "row" }, add),
    );
    const kept = this.kept();
    this.setCases(kept.length > 0 ? kept : [{ stdin: "", expected: "" }]);
    this.tell(
      "neutral",
      "Tests",
      "The program at the left is compiled once and run for each input. Ctrl+Enter runs them all.",
    );
  }

  private kept(): Case[] {
    try {
      const list = JSON.parse(localStorage.getItem(CASES) ?? "[]");
      return Array.isArray(list) ? list : [];
    } catch {
      return [];
    }
  }

  private tell(tone: string, sentence: string, note = ""): void {
    this.element.dataset.tone = tone;
    this.headline.textContent = sentence;
    this.notes.replaceChildren(note === "" ? "" : h("p", {}, note));
    announce(`${sentence} ${note}`);
  }

  setCases(cases: readonly Case[]): void {
    this.rows = [];
    this.body.replaceChildren();
    for (const each of cases.length > 0 ? cases : [{ stdin: "", expected: "" }]) this.add(each);
  }

  private cases(): Case[] {
    return this.rows.map((row) => ({ stdin: row.stdin.value, expected: row.expected.value }));
  }

  private save(): void {
    try {
      localStorage.setItem(CASES, JSON.stringify(this.cases()));
    } catch {
      // Larger than a browser keeps.
    }
  }

  private add(each: Case): void {
    const number = this.rows.length + 1;
    const area = (name: string, value: string) => {
      const made = h("textarea", {
        rows: 2,
        spellcheck: false,
        "aria-label": `${name} of test ${number}`,
      });
      made.value = value;
      made.addEventListener("input", () => this.save());
      return made;
    };
    const row: Row = {
      element: h("tr"),
      stdin: area("Input", each.stdin),
      expected: area("Expected output", each.expected),
      verdict: h("span", { class: "badge" }),
      time: h("td", { class: "number" }),
      memory: h("td", { class: "number" }),
      answer: h("div", { class: "answer" }),
    };
    const remove = h(
      "button",
      { type: "button", class: "close", "aria-label": `Remove test ${number}` },
      "×",
    );
    remove.addEventListener("click", () => {
      this.rows = this.rows.filter((other) => other !== row);
      row.element.remove();
      if (this.rows.length === 0) this.add({ stdin: "", expected: "" });
      this.save();
    });
    row.element.append(
      h("td", { class: "number" }, number),
      h("td", {}, row.stdin),
      h("td", {}, row.expected, row.answer),
      h("td", {}, row.verdict),
      row.time,
      row.memory,
      h("td", {}, remove),
    );
    this.rows.push(row);
    this.body.append(row.element);
  }

  private show(row: Row, run: Run | undefined): void {
    if (run === undefined) {
      row.verdict.textContent = "";
      row.answer.replaceChildren();
      return;
    }
    const { tone, word } = verdict(run);
    row.verdict.dataset.tone = tone;
    row.verdict.textContent = word;
    const stage = run.outcome?.stages.at(-1);
    row.time.textContent = stage ? milliseconds(stage.usage.wall_ms) : "";
    row.memory.textContent = stage ? bytes(stage.usage.peak_memory_bytes) : "";
    row.answer.replaceChildren();
    const ended = run.state !== "queued" && run.state !== "running";
    if (ended && run.outcome?.verdict !== "pass") {
      const text = stage?.stdout.text ?? "";
      const why = stage === undefined || run.status === "ok" ? "" : run.reason;
      row.answer.append(
        h("small", {}, text === "" ? "It wrote nothing." : "It wrote:"),
        text !== "" ? h("pre", {}, text.slice(0, 2000)) : "",
        why !== "" ? h("small", {}, why) : "",
        h("a", { href: `/r/${run.id}` }, "the run"),
      );
    }
  }

  async run(): Promise<void> {
    await this.bench.ready;
    const turn = ++this.turn;
    this.save();
    this.bench.save();
    for (const row of this.rows) this.show(row, undefined);
    this.tell("busy", `Running ${count(this.rows.length, "test")}`);
    const { stdin: _, ...program } = this.bench.request();
    try {
      const answer = await post("/v1/batches", { program, inputs: this.cases() });
      const { id } = (await answer.json()) as { id: string };
      this.go(`/tests/${id}`);
      await this.follow(id, turn);
    } catch (error) {
      if (turn === this.turn) this.tell("bad", "Not run", (error as Problem).message);
    }
  }

  private async follow(id: string, turn: number): Promise<void> {
    for (let pause = 150; turn === this.turn; pause = Math.min(pause * 1.5, 2000)) {
      let batch: Batch | null = null;
      try {
        batch = await get<Batch>(`/v1/batches/${encodeURIComponent(id)}`);
      } catch (error) {
        if ((error as Problem).status !== undefined) throw error;
        this.tell("busy", "The connection is lost; trying again");
      }
      if (turn !== this.turn) return;
      if (batch !== null) {
        batch.runs.forEach((run, index) => {
          const row = this.rows[index];
          if (row !== undefined) this.show(row, run);
        });
        if (batch.ended === batch.total) return this.sum(batch);
        this.tell("busy", `${batch.ended} of ${count(batch.total, "test")} ended`);
      }
      await new Promise((done) => setTimeout(done, pause));
    }
  }

  private sum(batch: Batch): void {
    const right = batch.runs.filter((run) => run.outcome?.verdict === "pass").length;
    const wrong = batch.runs.filter((run) => run.outcome?.verdict === "wrong_answer").length;
    const rest = batch.total - right - wrong;
    const words = [
      `${right} right`,
      wrong > 0 && `${wrong} wrong`,
      rest > 0 && `${rest} did not end well`,
    ].filter(Boolean);
    const didNotCompile = batch.runs.find((run) => run.status === "compile_error");
    const stage = didNotCompile?.outcome?.stages.at(-1);
    if (right === batch.total) this.tell("good", `All ${count(right, "test")} right`);
    else
      this.tell(
        "bad",
        `${words.join(", ")} of ${count(batch.total, "test")}`,
        stage === undefined ? "" : stage.stderr.text.slice(0, 600),
      );
  }

  // A batch of before: its program goes to the bench, its inputs into the table.
  async open(id: string): Promise<void> {
    const turn = ++this.turn;
    this.tell("busy", "Looking it up");
    try {
      const batch = await get<Batch>(`/v1/batches/${encodeURIComponent(id)}`);
      const requests = await Promise.all(
        batch.runs.slice(0, MOST_SHOWN).map((run) => requestOf(run.id)),
      );
      if (turn !== this.turn) return;
      const first = requests[0];
      if (first !== undefined) this.bench.load({ ...first, stdin: "" });
      this.setCases(
        requests.map((each) => ({ stdin: textOf(each.stdin), expected: textOf(each.expected) })),
      );
      await this.follow(id, turn);
    } catch (error) {
      if (turn === this.turn)
        this.tell("bad", "There are no such tests here", (error as Error).message);
    }
  }
}
