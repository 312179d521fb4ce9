// One cell on the page: its text, what it showed, what that cost.
import { h } from "../dom";
import { milliseconds } from "../format";
import type { Tone } from "../words";
import { type CellEvents, type CellSurface, makeField } from "./field";
import { markdown } from "./markdown";
import type { Cell, Output } from "./model";
import { type Drawn, drawOutput } from "./outputs";

const DRAW_PAUSE_MS = 120;

// What is said under a cell. Kept by this browser, never read from a file: it is the service's word.
export interface Foot {
  tone: Tone;
  words: string;
  cost: string[];
  notes: string[];
}

export type Activity = "idle" | "waiting" | "running";

export interface CellActions {
  changed(cell: Cell): void;
  run(cell: Cell, goOn: boolean): void;
  interrupt(): void;
  add(cell: Cell, kind: "code" | "markdown", above: boolean): void;
  move(cell: Cell, by: number): void;
  remove(cell: Cell): void;
  turn(cell: Cell): void;
  step(cell: Cell, by: number): void;
  chosen(cell: Cell): void;
}

interface Shown {
  output: Output;
  text: string; // of a stream, when it was drawn
  drawn: Drawn;
}

export class CellView {
  readonly element: HTMLElement;
  private readonly host = h("div", { class: "cell-editor" });
  private readonly rendered = h("div", { class: "cell-text", hidden: true });
  private readonly outputs = h("div", { class: "cell-outputs" });
  private readonly foot = h("p", { class: "cell-foot", hidden: true });
  private readonly count = h("span", { class: "cell-count" });
  private readonly runButton: HTMLButtonElement;
  private readonly tools: HTMLButtonElement[];
  private surface: CellSurface;
  private shown: Shown[] = [];
  private number = 0;
  private drawing = 0;
  private ticking = 0;
  private activity: Activity = "idle";
  private upgraded = false;
  private gone = false;

  constructor(
    readonly cell: Cell,
    private readonly actions: CellActions,
  ) {
    const button = (sign: string, name: string, act: () => void) =>
      h(
        "button",
        { type: "button", class: "quiet small", "aria-label": name, title: name, onclick: act },
        sign,
      );
    this.runButton = h("button", {
      type: "button",
      class: "cell-run",
      onclick: () => {
        if (this.activity === "running") actions.interrupt();
        else actions.run(cell, false);
      },
    });
    this.tools = [
      button("↑", "Move up", () => actions.move(cell, -1)),
      button("↓", "Move down", () => actions.move(cell, 1)),
      button("+ Code", "Add code below", () => actions.add(cell, "code", false)),
      button("+ Text", "Add text below", () => actions.add(cell, "markdown", false)),
      button(
        cell.kind === "code" ? "To text" : "To code",
        cell.kind === "code" ? "Turn into text" : "Turn into code",
        () => actions.turn(cell),
      ),
      button("×", "Delete", () => actions.remove(cell)),
    ];
    const area = h("textarea", {
      class: "cell-field",
      spellcheck: cell.kind === "markdown",
      autocapitalize: "off",
      autocomplete: "off",
      autocorrect: "off",
      rows: 1,
      wrap: cell.kind === "code" ? "off" : "soft",
    });
    area.value = cell.source;
    this.host.append(area);
    this.surface = makeField(area, this.events());
    const edit = h(
      "button",
      { type: "button", class: "quiet small cell-edit", onclick: () => this.edit() },
      "Edit",
    );
    this.element = h(
      "div",
      {
        class: "cell",
        id: `cell-${cell.id}`,
        role: "group",
        tabindex: 0,
        "data-kind": cell.kind,
        onkeydown: (event: KeyboardEvent) => this.key(event),
        onfocusin: () => actions.chosen(cell),
        onpointerdown: () => actions.chosen(cell),
      },
      h("div", { class: "cell-side" }, cell.kind === "code" ? this.runButton : edit, this.count),
      h("div", { class: "cell-body" }, this.host, this.rendered, this.outputs, this.foot),
      h("div", { class: "cell-tools", role: "group", "aria-label": "This cell" }, ...this.tools),
    );
    this.rendered.addEventListener("dblclick", () => this.edit());
    this.mark("idle");
    if (cell.kind === "markdown" && cell.source.trim() !== "") this.render();
    this.draw();
  }

  private events(): CellEvents {
    const { cell } = this;
    return {
      language: cell.kind === "code" ? "python" : "plaintext",
      label: this.label("Escape leaves it, Ctrl+Enter runs"),
      changed: (text) => {
        cell.source = text;
        this.actions.changed(cell);
      },
      run: () => this.actions.run(cell, false),
      runAndGoOn: () => this.actions.run(cell, true),
      leave: () => this.focus(),
    };
  }

  private label(more: string): string {
    const kinds = { code: "code", markdown: "text", raw: "raw text, not run" };
    return `Cell ${this.number}, ${kinds[this.cell.kind]}. ${more}`;
  }

  // ---- The editor, when the cell comes near the screen ----

  async upgrade(): Promise<void> {
    if (this.upgraded || matchMedia("(pointer: coarse)").matches) return;
    this.upgraded = true;
    const { makeCell } = await import("../monaco");
    if (this.gone) return;
    const old = this.surface;
    const place = h("div", { class: "cell-monaco" });
    this.host.append(place);
    this.surface = makeCell(place, old, this.events());
    old.dispose();
    this.host.dataset.editor = "monaco";
  }

  // ---- Where the keyboard is ----

  focus(): void {
    this.element.focus();
    this.element.scrollIntoView({ block: "nearest" });
  }

  edit(): void {
    this.rendered.hidden = true;
    this.host.hidden = false;
    this.surface.focus();
  }

  get isEdited(): boolean {
    return this.surface.hasFocus();
  }

  render(): void {
    if (this.cell.kind !== "markdown") return;
    const empty = this.cell.source.trim() === "";
    this.rendered.replaceChildren(
      empty
        ? h("p", { class: "hint" }, "Empty text. Enter changes it.")
        : markdown(this.cell.source),
    );
    this.host.hidden = true;
    this.rendered.hidden = false;
  }

  // Single keys, while the cell itself has the focus and not its editor.
  private key(event: KeyboardEvent): void {
    if (event.target !== this.element) return;
    const { actions, cell } = this;
    const enter = event.key === "Enter";
    const held = event.ctrlKey || event.metaKey;
    const acts: Record<string, () => void> = {
      ArrowUp: () => (event.altKey ? actions.move(cell, -1) : actions.step(cell, -1)),
      ArrowDown: () => (event.altKey ? actions.move(cell, 1) : actions.step(cell, 1)),
      k: () => actions.step(cell, -1),
      j: () => actions.step(cell, 1),
      a: () => actions.add(cell, "code", true),
      b: () => actions.add(cell, "code", false),
      m: () => cell.kind === "code" && actions.turn(cell),
      y: () => cell.kind !== "code" && actions.turn(cell),
      i: () => actions.interrupt(),
      Delete: () => actions.remove(cell),
    };
    if (enter && (held || event.shiftKey)) actions.run(cell, event.shiftKey);
    else if (enter) this.edit();
    else if (!held && Object.hasOwn(acts, event.key)) acts[event.key]?.();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // ---- What it says of itself ----

  place(number: number, of: number): void {
    this.number = number;
    this.tools[0]?.toggleAttribute("disabled", number === 1);
    this.tools[1]?.toggleAttribute("disabled", number === of);
    this.surface.name(this.label("Escape leaves it, Ctrl+Enter runs"));
    this.mark(this.activity);
  }

  choose(here: boolean): void {
    this.element.classList.toggle("here", here);
  }

  mark(activity: Activity): void {
    this.activity = activity;
    this.element.dataset.activity = activity;
    const names = { idle: "Run", waiting: "Waiting: run", running: "Interrupt" };
    this.runButton.textContent = { idle: "▶", waiting: "…", running: "■" }[activity];
    this.runButton.setAttribute("aria-label", `${names[activity]} cell ${this.number}`);
    this.runButton.title = activity === "running" ? "Interrupt" : "Run (Ctrl+Enter)";
    const { count, kind } = this.cell;
    const sign = activity === "running" ? "*" : (count ?? " ");
    this.count.textContent = kind === "code" ? `[${sign}]` : "";
    this.count.setAttribute("aria-hidden", "true");
    const said = activity !== "idle" ? activity : count === null ? "not run" : `execution ${count}`;
    this.element.setAttribute(
      "aria-label",
      this.label(kind === "code" ? `${said}. Enter edits` : "Enter edits"),
    );
  }

  // A clock while it runs; what came of it afterwards.
  tick(words: string): void {
    window.clearInterval(this.ticking);
    const started = performance.now();
    const tell = () => {
      const passed = Math.round((performance.now() - started) / 100) * 100;
      this.say({ tone: "neutral", words, cost: [milliseconds(passed)], notes: [] });
    };
    tell();
    this.ticking = window.setInterval(tell, 200);
  }

  say(foot: Foot | null): void {
    if (foot === null || this.activity !== "running") window.clearInterval(this.ticking);
    this.foot.hidden = foot === null;
    if (foot === null) return;
    this.foot.dataset.tone = foot.tone;
    this.foot.replaceChildren(
      h("b", {}, foot.words),
      ...foot.cost.map((part) => h("span", {}, part)),
      ...foot.notes.map((note) => h("span", { class: "note" }, note)),
    );
  }

  // ---- Outputs ----

  // Soon: a flood is drawn a few times a second, not piece by piece.
  drawSoon(): void {
    if (this.drawing !== 0) return;
    this.drawing = window.setTimeout(() => this.draw(), DRAW_PAUSE_MS);
  }

  draw(): void {
    window.clearTimeout(this.drawing);
    this.drawing = 0;
    const before = this.shown;
    const textOf = (output: Output) => (output.type === "stream" ? output.text : "");
    this.shown = this.cell.outputs.map((output, index) => {
      const known = before[index];
      const text = textOf(output);
      if (known?.output === output && known.text === text) return known;
      const drawn = drawOutput(output, `Output ${index + 1}`);
      drawn.element.classList.add("cell-output");
      if (known === undefined) this.outputs.append(drawn.element);
      else {
        const { element } = known.drawn;
        const atEnd = element.scrollTop + element.clientHeight >= element.scrollHeight - 8;
        const top = element.scrollTop;
        element.replaceWith(drawn.element);
        known.drawn.release();
        const follows = atEnd && this.activity === "running";
        drawn.element.scrollTop = follows ? drawn.element.scrollHeight : top;
      }
      return { output, text, drawn };
    });
    for (const each of before.slice(this.shown.length)) {
      each.drawn.element.remove();
      each.drawn.release();
    }
  }

  // For other colours: frames have theirs in them.
  drawAnew(): void {
    for (const each of this.shown) {
      each.drawn.element.remove();
      each.drawn.release();
    }
    this.shown = [];
    this.draw();
  }

  dispose(): void {
    this.gone = true;
    window.clearTimeout(this.drawing);
    window.clearInterval(this.ticking);
    for (const each of this.shown) each.drawn.release();
    this.surface.dispose();
    this.element.remove();
  }
}
