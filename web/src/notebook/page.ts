// The page of a notebook: cells one below the other, run in one session, from the first that is run on.
import "./notebook.css";
import { Problem } from "../api";
import { announce, download, h, type Properties } from "../dom";
import { bytes } from "../format";
import { onTheme } from "../theme";
import { type CellActions, CellView, type Foot } from "./cell_view";
import { languageOf, MOST_BYTES, readFile, writeNotebook } from "./ipynb";
import { addOutput, addText, type Cell, makeCell, type Notebook } from "./model";
import {
  begin,
  type Execution,
  Following,
  interrupt,
  look,
  pause,
  quit,
  restart,
  resume,
  type Session,
} from "./session";
import { empty, type Kept, keep, load } from "./store";
import { costOf, ofExecution, ofStand, type Stand } from "./words";

const SAVE_PAUSE_MS = 400;
const LOOK_PAUSE_MS = 8000;

interface Running {
  cell: Cell;
  following: Following | null;
}

class NotebookPage implements CellActions {
  private kept: Kept;
  private views = new Map<string, CellView>();
  private stand: Stand = { kind: "none" };
  private queue: string[] = [];
  private running: Running | null = null;
  private readonly found: Promise<void>; // the session from before
  private here: string | null = null;
  private saving = 0;
  private looking = 0;
  private left = false;
  private toldOfRoom = false;

  private readonly list = h("div", { class: "cells" });
  private readonly badge = h("span", { class: "badge", id: "session-state" });
  private readonly about = h("span", { class: "muted session-words" });
  private readonly notice = h("div", { class: "notice", hidden: true });
  private readonly ended = h("div", { class: "notice ended", id: "session-ended", hidden: true });
  private readonly name = h("input", {
    type: "text",
    id: "notebook-name",
    "aria-label": "Name of the notebook",
    maxlength: 100,
    spellcheck: false,
    autocomplete: "off",
  });
  private readonly buttons: Record<
    "run" | "interrupt" | "pause" | "restart" | "quit",
    HTMLButtonElement
  >;
  private readonly watcher: IntersectionObserver;
  private readonly stopTheme: () => void;

  constructor(private readonly sheet: HTMLElement) {
    const button = (id: string, words: string, title: string, act: () => void, kind = "quiet") =>
      h("button", { type: "button", id, class: kind, title, onclick: act }, words);
    this.buttons = {
      run: button(
        "run-all",
        "Run all",
        "Every cell, one after the other",
        () => this.runAll(),
        "primary",
      ),
      interrupt: button("interrupt", "Interrupt", "What runs gets SIGINT; the state stays", () =>
        this.interrupt(),
      ),
      pause: button(
        "pause",
        "Pause",
        "Keeps the session as it is, until it is resumed",
        () => void this.pause(),
      ),
      restart: button(
        "restart",
        "Restart",
        "A fresh interpreter; files stay",
        () => void this.restart(),
      ),
      quit: button("quit", "Quit", "Ends the session and everything in it", () => void this.quit()),
    };
    const file = h("input", {
      type: "file",
      class: "unseen",
      id: "notebook-file",
      accept: ".ipynb,application/x-ipynb+json,application/json",
    });
    file.addEventListener("change", () => {
      const chosen = file.files?.[0];
      if (chosen !== undefined) void this.open(chosen);
      file.value = "";
    });
    this.name.addEventListener("input", () => {
      this.kept.name = this.name.value;
      this.saveSoon();
    });
    const add = (kind: "code" | "markdown", words: string) =>
      button(`add-${kind}`, words, "At the end", () => this.append(kind));
    sheet.classList.add("notebook");
    sheet.append(
      h(
        "div",
        { class: "title" },
        h("h1", {}, "Notebook"),
        h(
          "div",
          { class: "notebook-file" },
          this.name,
          h("span", { class: "muted", "aria-hidden": "true" }, ".ipynb"),
          h("label", { class: "button quiet" }, "Open", file),
          button("save", "Save", "Download it as .ipynb", () => this.download()),
          button("new", "New", "An empty notebook", () => this.replace(empty(), "A new notebook")),
        ),
      ),
      h(
        "div",
        { class: "session-bar" },
        this.buttons.run,
        this.buttons.interrupt,
        this.buttons.pause,
        this.buttons.restart,
        this.buttons.quit,
        h("span", { class: "session-stand" }, this.badge, this.about),
      ),
      this.ended,
      this.notice,
      this.list,
      h(
        "div",
        { class: "add-cells" },
        add("code", "+ Code"),
        add("markdown", "+ Text"),
        h(
          "p",
          { class: "hint" },
          "Ctrl+Enter runs a cell, Shift+Enter runs it and goes on, Escape leaves its editor. On a cell: " +
            "arrows go from cell to cell, Alt+arrows move it, a and b add one above or below, m and y make it " +
            "text or code, Delete takes it away, i interrupts.",
        ),
      ),
    );
    this.watcher = new IntersectionObserver(
      (entries) => {
        for (const entry of entries) {
          if (!entry.isIntersecting) continue;
          this.watcher.unobserve(entry.target);
          void this.views.get(entry.target.id.replace(/^cell-/, ""))?.upgrade();
        }
      },
      { rootMargin: "600px" },
    );
    this.stopTheme = onTheme(() => {
      for (const view of this.views.values()) view.drawAnew();
    });
    this.kept = load();
    this.lay();
    this.setStand({ kind: "none" });
    this.found = this.findAgain();
    document.addEventListener("visibilitychange", this.onVisible);
    window.addEventListener("pagehide", this.save);
    this.looking = window.setInterval(() => void this.look(), LOOK_PAUSE_MS);
    sheet.addEventListener("dragover", this.onDragOver);
    sheet.addEventListener("drop", this.onDrop);
  }

  leave(): void {
    this.save();
    this.left = true;
    this.running?.following?.leave();
    window.clearInterval(this.looking);
    document.removeEventListener("visibilitychange", this.onVisible);
    window.removeEventListener("pagehide", this.save);
    this.sheet.removeEventListener("dragover", this.onDragOver);
    this.sheet.removeEventListener("drop", this.onDrop);
    this.stopTheme();
    this.watcher.disconnect();
    for (const view of this.views.values()) view.dispose();
    this.sheet.classList.remove("notebook");
  }

  private readonly onVisible = () => {
    if (document.visibilityState === "visible") void this.look();
  };
  private readonly onDragOver = (event: DragEvent) => event.preventDefault();
  private readonly onDrop = (event: DragEvent) => {
    event.preventDefault();
    const file = event.dataTransfer?.files[0];
    if (file !== undefined) void this.open(file);
  };

  // ---- Cells ----

  private get cells(): Cell[] {
    return this.kept.notebook.cells;
  }

  private lay(): void {
    this.name.value = this.kept.name;
    for (const view of this.views.values()) view.dispose();
    this.views.clear();
    for (const cell of this.cells) this.list.append(this.show(cell).element);
    this.number();
  }

  private show(cell: Cell): CellView {
    const view = new CellView(cell, this);
    view.say(this.kept.feet.get(cell.id) ?? null);
    this.views.set(cell.id, view);
    this.watcher.observe(view.element);
    return view;
  }

  private number(): void {
    this.cells.forEach((cell, index) => {
      this.views.get(cell.id)?.place(index + 1, this.cells.length);
    });
  }

  changed(_cell: Cell): void {
    this.saveSoon();
  }

  chosen(cell: Cell): void {
    if (this.here === cell.id) return;
    if (this.here !== null) this.views.get(this.here)?.choose(false);
    this.here = cell.id;
    this.views.get(cell.id)?.choose(true);
  }

  private insert(cell: Cell, at: number): void {
    this.cells.splice(at, 0, cell);
    const view = this.show(cell);
    const before = this.cells[at + 1];
    const next = before === undefined ? null : (this.views.get(before.id)?.element ?? null);
    this.list.insertBefore(view.element, next);
    this.number();
    this.saveSoon();
    view.element.scrollIntoView({ block: "nearest" });
  }

  add(cell: Cell, kind: "code" | "markdown", above: boolean): void {
    const made = makeCell(kind);
    this.insert(made, this.cells.indexOf(cell) + (above ? 0 : 1));
    this.views.get(made.id)?.edit();
  }

  private append(kind: "code" | "markdown"): void {
    const made = makeCell(kind);
    this.insert(made, this.cells.length);
    this.views.get(made.id)?.edit();
  }

  move(cell: Cell, by: number): void {
    const at = this.cells.indexOf(cell);
    const to = at + by;
    const other = this.cells[to];
    const view = this.views.get(cell.id);
    if (other === undefined || view === undefined) return;
    // The other one is put on the other side: what stays in the page keeps the focus.
    const beside = this.views.get(other.id)?.element;
    if (by < 0) view.element.after(beside ?? "");
    else view.element.before(beside ?? "");
    this.cells.splice(at, 1);
    this.cells.splice(to, 0, cell);
    this.number();
    this.saveSoon();
    view.element.scrollIntoView({ block: "nearest" });
    announce(`Moved: it is cell ${to + 1} now`);
  }

  remove(cell: Cell): void {
    const at = this.cells.indexOf(cell);
    if (at < 0) return;
    if (this.running?.cell === cell) this.interrupt();
    this.queue = this.queue.filter((id) => id !== cell.id);
    this.cells.splice(at, 1);
    this.views.get(cell.id)?.dispose();
    this.views.delete(cell.id);
    if (this.cells.length === 0) this.insert(makeCell("code"), 0);
    this.number();
    this.saveSoon();
    const next = this.cells[Math.min(at, this.cells.length - 1)];
    if (next !== undefined) this.views.get(next.id)?.focus();
    this.tell(`Cell ${at + 1} is deleted.`, () => {
      this.insert(cell, Math.min(at, this.cells.length));
      this.views.get(cell.id)?.focus();
    });
  }

  turn(cell: Cell): void {
    if (this.running?.cell === cell) return;
    const at = this.cells.indexOf(cell);
    const made: Cell = {
      ...makeCell(cell.kind === "code" ? "markdown" : "code", cell.source),
      id: cell.id,
      metadata: cell.metadata,
    };
    this.queue = this.queue.filter((id) => id !== cell.id);
    this.kept.feet.delete(cell.id);
    this.cells.splice(at, 1);
    this.views.get(cell.id)?.dispose();
    this.insert(made, at);
    this.views.get(made.id)?.focus();
  }

  step(cell: Cell, by: number): void {
    const to = this.cells[this.cells.indexOf(cell) + by];
    if (to !== undefined) this.views.get(to.id)?.focus();
  }

  // ---- Running ----

  run(cell: Cell, goOn: boolean): void {
    if (cell.kind === "markdown") this.views.get(cell.id)?.render();
    else if (cell.kind === "code") this.enqueue(cell);
    if (!goOn) {
      if (cell.kind === "markdown") this.views.get(cell.id)?.focus();
      return;
    }
    const next = this.cells[this.cells.indexOf(cell) + 1];
    if (next === undefined) this.append("code");
    else if (next.kind === "markdown") this.views.get(next.id)?.focus();
    else this.views.get(next.id)?.edit();
  }

  private runAll(): void {
    for (const cell of this.cells) {
      if (cell.kind === "markdown") this.views.get(cell.id)?.render();
      if (cell.kind === "code" && cell.source.trim() !== "") this.enqueue(cell);
    }
  }

  private enqueue(cell: Cell): void {
    if (this.running?.cell === cell || this.queue.includes(cell.id)) return;
    if (this.stand.kind === "gone") {
      // What its cells set is lost: somebody has to know before they go on without.
      announce("The session has ended; begin a new one first");
      this.ended.querySelector("button")?.focus();
      return;
    }
    if (this.isPaused) {
      announce("The session is paused; resume it first");
      this.buttons.pause.focus();
      return;
    }
    this.queue.push(cell.id);
    this.views.get(cell.id)?.mark("waiting");
    void this.pump();
  }

  private drop(): void {
    for (const id of this.queue) this.views.get(id)?.mark("idle");
    this.queue = [];
  }

  private async pump(): Promise<void> {
    await this.found;
    if (this.running !== null || this.left) return;
    const id = this.queue.shift();
    if (id === undefined) return;
    const cell = this.cells.find((each) => each.id === id);
    if (cell !== undefined) await this.hold({ cell, following: null }, null);
    return this.pump();
  }

  // One at a time; another notebook that is opened meanwhile takes the place over.
  private async hold(mine: Running, before: string | null): Promise<void> {
    this.running = mine;
    await this.execute(mine, before);
    if (this.running !== mine) return;
    this.running = null;
    this.kept.running = null;
    this.tools();
    this.saveSoon();
  }

  private viewOf(cell: Cell): CellView | undefined {
    return this.views.get(cell.id);
  }

  // A new execution of a cell, or one that goes on since before the page was loaded.
  private async execute(mine: Running, before: string | null): Promise<void> {
    const { cell } = mine;
    cell.outputs = [];
    cell.count = null;
    this.kept.feet.delete(cell.id);
    this.viewOf(cell)?.draw();
    this.viewOf(cell)?.mark("running");
    this.viewOf(cell)?.tick("Starting");
    this.tools();
    const isOver = () => this.left || this.running !== mine;
    try {
      const session = await this.ensure();
      if (isOver()) return;
      this.setStand({ kind: "live", session, running: true });
      mine.following = this.follow(cell, session, before);
      const end = await mine.following.follow(before === null ? cell.source : null);
      if (end !== null && !isOver()) this.end(cell, end);
    } catch (error) {
      if (!isOver()) await this.refused(cell, error as Error, before !== null);
    }
  }

  // The session that is there, also one that could not be asked for when the page came; or a new one.
  private async ensure(): Promise<Session> {
    if (this.stand.kind === "live") return this.stand.session;
    const { kept } = this;
    if (kept.session !== null) return look(kept.session);
    this.setStand({ kind: "starting" });
    const session = await begin();
    // Nobody would ever use it.
    if (this.kept !== kept) quit(session.id).catch(() => undefined);
    kept.session = session.id;
    this.save();
    return session;
  }

  private follow(cell: Cell, session: Session, before: string | null): Following {
    const view = () => this.viewOf(cell);
    const changed = () => {
      view()?.drawSoon();
      this.saveSoon();
    };
    return new Following(
      session.id,
      {
        onId: (id) => {
          this.kept.running = { cell: cell.id, execution: id };
          this.save();
        },
        onState: (state) => view()?.tick(state === "queued" ? "Waiting" : "Running"),
        onOutput: (source, text) => {
          addText(cell.outputs, source, text);
          changed();
        },
        onResult: ({ main, data, metadata, omitted }) => {
          addOutput(cell.outputs, {
            type: "display",
            main,
            count: null,
            data,
            metadata: metadata ?? {},
          });
          if (omitted !== undefined && omitted.length > 0) {
            const words = `Too large to be sent: ${omitted.slice(0, 10).join(", ")}\n`;
            addText(cell.outputs, "stderr", words);
          }
          changed();
        },
        onConnection: (here) => {
          if (!here) view()?.tick("The connection is lost; trying again");
        },
      },
      before,
    );
  }

  private end(cell: Cell, end: Execution): void {
    cell.count = end.count || null; // none where its interpreter did not say one
    for (const output of cell.outputs) {
      if (output.type === "display" && output.main) output.count = cell.count;
    }
    if (end.error !== null && end.error !== undefined) {
      addOutput(cell.outputs, { type: "error", ...end.error });
    }
    const said = ofExecution(end);
    const notes: string[] = [];
    if (end.stdout?.truncated === true || end.stderr?.truncated === true) {
      notes.push("Only the beginning of its output was kept.");
    }
    if (end.results_truncated === true) notes.push("Some of what it displayed was too much.");
    const files = end.files ?? [];
    if (files.length > 0) {
      const names = files.slice(0, 5).map((file) => `${file.path} (${bytes(file.bytes)})`);
      notes.push(`Files: ${names.join(", ")}${files.length > 5 ? " and more" : ""}`);
    }
    this.finish(cell, { ...said, cost: costOf(end), notes });
    if (end.status !== "ok") this.drop();
    if (end.status === "ended") {
      this.setStand({ kind: "gone", reason: end.reason ?? "" });
      return;
    }
    if (this.stand.kind === "live") {
      this.setStand({ ...this.stand, running: false });
    }
  }

  private finish(cell: Cell, foot: Foot): void {
    const view = this.viewOf(cell);
    this.kept.feet.set(cell.id, foot);
    view?.mark("idle");
    view?.say(foot);
    view?.draw();
    announce(`Cell ${this.cells.indexOf(cell) + 1}: ${[foot.words, ...foot.notes].join(". ")}`);
  }

  private async refused(cell: Cell, error: Error, wasBefore: boolean): Promise<void> {
    this.drop();
    const isWord = error instanceof Problem;
    const words = !isWord
      ? "The connection was lost; whether it was executed is not known"
      : wasBefore
        ? `Its outcome is not to be had any more: ${error.message}`
        : `Not executed: ${error.message}`;
    this.finish(cell, { tone: "bad", words, cost: [], notes: [] });
    if (this.stand.kind === "live") this.setStand({ ...this.stand, running: false });
    else this.setStand({ kind: "none" });
    await this.look(true);
  }

  interrupt(): void {
    this.drop();
    const { stand } = this;
    if (this.running === null || stand.kind !== "live") return;
    announce("Interrupting");
    interrupt(stand.session.id).catch((error: Error) => {
      // It may just have ended.
      if (!(error instanceof Problem) || error.status !== 409) this.tell(error.message);
    });
  }

  private async restart(): Promise<void> {
    const { stand } = this;
    if (stand.kind !== "live") return;
    if (this.running !== null) this.interrupt();
    try {
      const session = await restart(stand.session.id);
      if (this.stand.kind === "live") this.setStand({ ...this.stand, session });
      this.tell("A fresh interpreter: variables are gone, files of the session stay.");
    } catch (error) {
      this.tell(`Not restarted: ${(error as Error).message}`);
      await this.look();
    }
  }

  private async pause(): Promise<void> {
    const { stand } = this;
    if (stand.kind !== "live" || this.running !== null) return;
    const { id } = stand.session;
    try {
      const session = await (this.isPaused ? resume(id) : pause(id));
      if (this.kept.session !== id) return;
      this.setStand({ kind: "live", session, running: session.state === "running" });
      const { badge, words } = ofStand(this.stand);
      announce(`${badge}: ${words}`);
    } catch (error) {
      this.tell((error as Error).message);
      await this.look();
    }
  }

  private get isPaused(): boolean {
    return this.stand.kind === "live" && this.stand.session.state === "paused";
  }

  private async quit(): Promise<void> {
    const { stand } = this;
    if (stand.kind !== "live") return;
    this.drop();
    try {
      await quit(stand.session.id);
      await this.untilIdle();
      this.forget();
      this.tell("The session has ended, and nothing of it is left. The next cell begins another.");
    } catch (error) {
      this.tell(`Not ended: ${(error as Error).message}`);
    }
  }

  // What ran in a session that was ended says so at once.
  private async untilIdle(): Promise<void> {
    for (let turn = 0; this.running !== null && turn < 100; ++turn) {
      await new Promise((done) => setTimeout(done, 50));
    }
    this.running?.following?.leave();
  }

  private forget(): void {
    this.kept.session = null;
    this.kept.running = null;
    this.setStand({ kind: "none" });
    this.save();
  }

  private async renew(): Promise<void> {
    this.forget();
    try {
      const session = await this.ensure();
      this.setStand({ kind: "live", session, running: false });
      announce("A new session is there");
    } catch (error) {
      this.setStand({ kind: "none" });
      this.tell(`No session: ${(error as Error).message}`);
    }
  }

  // ---- The session ----

  private setStand(stand: Stand): void {
    this.stand = stand;
    const { tone, badge, words } = ofStand(stand);
    this.badge.textContent = badge;
    this.badge.dataset.tone = tone;
    this.about.textContent = words;
    this.about.hidden = stand.kind === "gone";
    this.ended.hidden = stand.kind !== "gone";
    this.ended.replaceChildren();
    if (stand.kind === "gone") {
      this.ended.append(
        h("p", {}, `${words} Its variables and files are gone; what is on this page stays.`),
        h(
          "button",
          { type: "button", class: "primary", id: "new-session", onclick: () => void this.renew() },
          "New session",
        ),
      );
      announce(words);
    }
    this.tools();
  }

  private tools(): void {
    const live = this.stand.kind === "live";
    this.buttons.interrupt.disabled = this.running === null && this.queue.length === 0;
    this.buttons.pause.disabled = !live || this.running !== null;
    this.buttons.pause.textContent = this.isPaused ? "Resume" : "Pause";
    this.buttons.restart.disabled = !live || this.isPaused;
    this.buttons.quit.disabled = !live;
    this.buttons.run.disabled = this.stand.kind === "gone" || this.isPaused;
  }

  // Sessions end by themselves too.
  private async look(always = false): Promise<void> {
    const id = this.kept.session;
    const isFree = () =>
      (always || this.running === null) && !this.left && this.kept.session === id;
    if (id === null || this.stand.kind === "gone" || !isFree()) return;
    if (document.visibilityState === "hidden") return;
    try {
      const session = await look(id);
      if (!isFree()) return;
      if (session.state === "ended") this.setStand({ kind: "gone", reason: session.reason ?? "" });
      else this.setStand({ kind: "live", session, running: session.state === "running" });
    } catch (error) {
      // A service that cannot be reached may have it still.
      if (!isFree() || !(error instanceof Problem) || error.status !== 404) return;
      this.setStand({ kind: "gone", reason: "the service does not know it any more" });
    }
  }

  // The session from before the page was loaded, and what ran in it then.
  private async findAgain(): Promise<void> {
    const { running } = this.kept;
    const cell = this.cells.find((each) => each.id === running?.cell);
    if (cell !== undefined && running !== null) {
      await this.hold({ cell, following: null }, running.execution);
    } else {
      await this.look();
    }
  }

  // ---- Files ----

  private download(): void {
    const name = this.kept.name.trim().replace(/[/\\:*?"<>|]/g, "_") || "notebook";
    download(`${name.replace(/\.ipynb$/i, "")}.ipynb`, writeNotebook(this.kept.notebook));
    announce("The notebook is saved");
  }

  private async open(file: File): Promise<void> {
    let notebook: Notebook;
    try {
      // Before it is read: its size is known.
      if (file.size > MOST_BYTES) {
        throw new Error(
          `the file has ${bytes(file.size)}; a notebook may have ${bytes(MOST_BYTES)}`,
        );
      }
      notebook = readFile(new Uint8Array(await file.arrayBuffer()));
    } catch (error) {
      this.tell(
        `${file.name.slice(0, 100)} cannot be opened: ${(error as Error).message}`,
        null,
        true,
      );
      return;
    }
    const name = file.name.replace(/\.ipynb$/i, "").slice(0, 100);
    const language = languageOf(notebook);
    const strange = language !== null && !/^(i?python\d?)$/i.test(language);
    const words = strange
      ? `${name} is opened. It is in ${language}; its cells are run as Python.`
      : `${name} is opened.`;
    if (notebook.cells.length === 0) notebook.cells.push(makeCell("code"));
    this.replace({ ...empty(), name, notebook }, words);
  }

  // Another notebook in place of this one, whose session ends.
  private replace(next: Kept, words: string): void {
    const before = this.kept;
    this.drop();
    this.running?.following?.leave();
    if (this.stand.kind === "live") quit(this.stand.session.id).catch(() => undefined);
    this.running = null;
    this.kept = next;
    this.here = null;
    this.setStand({ kind: "none" });
    this.lay();
    this.save();
    this.tell(words, () =>
      this.replace({ ...before, session: null, running: null }, "It is back."),
    );
  }

  // ---- What is said above the cells ----

  private tell(words: string, undo: (() => void) | null = null, isBad = false): void {
    this.notice.hidden = false;
    this.notice.classList.toggle("bad", isBad);
    const close = () => {
      this.notice.hidden = true;
    };
    const button = (properties: Properties, sign: string) =>
      h("button", { type: "button", class: "quiet", ...properties }, sign);
    const takeBack = () => {
      close();
      undo?.();
    };
    this.notice.replaceChildren(
      h("p", {}, words),
      ...(undo === null ? [] : [button({ id: "undo", onclick: takeBack }, "Undo")]),
      button({ "aria-label": "Close", onclick: close }, "×"),
    );
    announce(words);
  }

  // ---- Keeping it ----

  private saveSoon(): void {
    if (this.saving === 0) this.saving = window.setTimeout(this.save, SAVE_PAUSE_MS);
  }

  private readonly save = () => {
    window.clearTimeout(this.saving);
    this.saving = 0;
    if (this.left) return;
    const hadRoom = keep(this.kept);
    if (!hadRoom && !this.toldOfRoom) {
      this.tell("The outputs are more than this browser keeps; Save makes a file of all of it.");
    }
    this.toldOfRoom = !hadRoom;
  };
}

export function page(sheet: HTMLElement): () => void {
  document.title = "Notebook · Belljar";
  const notebook = new NotebookPage(sheet);
  return () => notebook.leave();
}
