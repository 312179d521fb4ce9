// The right half of the playground: one run, from the key that starts it to what became of it.
import { bytesOf, type Run, requestOf, run as runOf, type Stream, walls } from "./api";
import { show as showArtifacts } from "./artifacts";
import type { Bench } from "./bench";
import { announce, download, h } from "./dom";
import { type Following, InteractiveRun, type Listener, type Source, StreamedRun } from "./follow";
import { bytes, milliseconds } from "./format";
import { remember } from "./history";
import { deniedCalls, facts, gauges, phaseBar, shields } from "./pictures";
import { type Place, placesOf } from "./problems";
import type { Terminal } from "./terminal";
import { ending, type Tone } from "./words";

type View = "all" | "stdout" | "stderr";

export class Play {
  readonly element: HTMLElement;
  private readonly headline = h("h1", { class: "sentence", id: "sentence" }, "Ready");
  private readonly clock = h("span", { class: "clock", "aria-hidden": "true" });
  private readonly notes = h("div", { class: "notes" });
  private readonly link = h("span", { class: "link" });
  private readonly stopButton = h(
    "button",
    { type: "button", class: "stop", id: "stop", hidden: true },
    "Stop",
  );
  private readonly hint = h("span", { class: "hint", id: "typing-hint" });
  private readonly screen = h("div", { class: "screen", id: "screen" });
  private readonly plain = h("pre", {
    class: "plain",
    tabindex: 0,
    hidden: true,
    role: "region",
    "aria-label": "Output as text",
  });
  private readonly views = new Map<View, HTMLButtonElement>();
  private readonly downloads = h("span", { class: "downloads" });
  private readonly problems = h("section", {
    class: "problems",
    "aria-label": "Problems",
    hidden: true,
  });
  private readonly artifacts = h("section", {
    class: "artifacts",
    "aria-label": "Files",
    hidden: true,
  });
  private readonly pictures = h("section", {
    class: "pictures",
    "aria-label": "What happened",
    hidden: true,
  });
  private terminal: Promise<Terminal> | null = null;
  private following: Following | null = null;
  private current: string | null = null;
  private shown: Run | null = null;
  private texts: Record<Source, string[]> = { stdout: [], stderr: [] };
  private decoders: Record<Source, TextDecoder> = {
    stdout: new TextDecoder(),
    stderr: new TextDecoder(),
  };
  private view: View = "all";
  private started = 0;
  private ticking = 0;
  private sent: string[] = [];
  private dark = false;

  constructor(
    private readonly bench: Bench,
    private readonly go: (path: string) => void,
  ) {
    this.stopButton.addEventListener("click", () => this.following?.stop());
    const tab = (view: View, words: string) => {
      const button = h(
        "button",
        {
          type: "button",
          "aria-pressed": view === "all" ? "true" : "false",
          onclick: () => this.look(view),
        },
        words,
      );
      this.views.set(view, button);
      return button;
    };
    this.element = h(
      "section",
      { class: "result", "aria-labelledby": "sentence" },
      h(
        "header",
        { class: "verdict" },
        h("div", { class: "line" }, this.headline, this.clock, this.stopButton),
        this.notes,
        this.link,
      ),
      h(
        "div",
        { class: "output" },
        h(
          "div",
          { class: "output-bar" },
          h(
            "span",
            { class: "segments", role: "group", "aria-label": "What to show" },
            tab("all", "Terminal"),
            tab("stdout", "stdout"),
            tab("stderr", "stderr"),
          ),
          this.hint,
          this.downloads,
        ),
        this.screen,
        this.plain,
      ),
      this.problems,
      this.artifacts,
      this.pictures,
    );
    this.rest();
  }

  // ---- The terminal comes behind ----

  warm(): void {
    void this.getTerminal();
  }

  private getTerminal(): Promise<Terminal> {
    this.terminal ??= import("./terminal").then(
      ({ Terminal }) =>
        new Terminal(
          this.screen,
          this.dark,
          (text) => {
            if (this.following instanceof InteractiveRun) this.following.type(text);
          },
          (rows, columns) => {
            if (this.following instanceof InteractiveRun) this.following.resize(rows, columns);
          },
          () => this.stopButton.focus(),
        ),
    );
    return this.terminal;
  }

  theme(dark: boolean): void {
    this.dark = dark;
    void this.terminal?.then((terminal) => terminal.theme(dark));
  }

  // For the tests, and for whoever wants to know what can be seen.
  async text(): Promise<string> {
    return (await this.getTerminal()).shown();
  }

  // ---- One run ----

  private tell(tone: Tone | "busy", sentence: string, notes: string[] = []): void {
    this.element.dataset.tone = tone;
    this.headline.textContent = sentence;
    this.notes.replaceChildren(...notes.map((note) => h("p", {}, note)));
    announce([sentence, ...notes].join(" "));
  }

  private rest(): void {
    this.tell("neutral", "Ready");
    this.notes.replaceChildren(
      h(
        "p",
        {},
        "Press Ctrl+Enter. The program runs sealed: no network, no files of this host, within its limits.",
      ),
    );
    this.stopButton.hidden = true;
    this.hint.textContent = "";
    this.clock.textContent = "";
    this.link.replaceChildren();
  }

  private async clean(): Promise<Terminal> {
    this.following?.leave();
    this.following = null;
    window.clearInterval(this.ticking);
    this.texts = { stdout: [], stderr: [] };
    this.decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
    this.shown = null;
    this.current = null;
    this.problems.hidden = true;
    this.artifacts.hidden = true;
    this.pictures.hidden = true;
    this.downloads.replaceChildren();
    this.look("all");
    this.bench.editor.mark([]);
    const terminal = await this.getTerminal();
    terminal.clear();
    return terminal;
  }

  // An empty right half, for a program that has not been run.
  async reset(): Promise<void> {
    this.rest();
    await this.clean();
  }

  private busy(interactive: boolean): void {
    this.started = performance.now();
    this.stopButton.hidden = false;
    this.bench.runButton.classList.add("again");
    this.hint.textContent = interactive
      ? "What you type goes to the program. Shift+Tab leaves the terminal."
      : "";
    window.clearInterval(this.ticking);
    this.ticking = window.setInterval(() => {
      this.clock.textContent = milliseconds(
        Math.round((performance.now() - this.started) / 100) * 100,
      );
    }, 100);
  }

  private idle(): void {
    window.clearInterval(this.ticking);
    this.clock.textContent = "";
    this.stopButton.hidden = true;
    this.hint.textContent = "";
    this.bench.runButton.classList.remove("again");
    void this.terminal?.then((terminal) => terminal.take(false));
  }

  async run(): Promise<void> {
    const request = this.bench.request();
    const interactive = this.bench.wantsTerminal();
    this.bench.save();
    this.sent = this.bench.paths();
    this.tell("busy", "Sending");
    const terminal = await this.clean();
    this.busy(interactive);
    const listener = this.listener(terminal, (id) => {
      remember(id, this.bench.editor.files[0]?.text ?? "");
      this.go(`/r/${id}`);
    });
    if (interactive) {
      terminal.take(true);
      this.following = new InteractiveRun(request, terminal.rows, terminal.columns, listener);
    } else {
      this.following = new StreamedRun(request, null, listener);
    }
  }

  // A run of before, or one that goes on.
  async open(id: string): Promise<void> {
    if (id === this.current) return;
    const terminal = await this.clean();
    this.current = id;
    this.tell("busy", "Looking it up");
    try {
      const [found, request] = await Promise.all([runOf(id), requestOf(id)]);
      if (this.current !== id) return;
      this.bench.load(request);
      this.sent = this.bench.paths();
      this.showLink(id);
      const over = found.state !== "queued" && found.state !== "running";
      if (over) {
        for (const stage of found.outcome?.stages ?? []) {
          for (const source of ["stdout", "stderr"] as const)
            await this.put(terminal, source, stage[source].text);
        }
        this.end(found);
        return;
      }
      this.busy(false);
      this.following = new StreamedRun(
        null,
        id,
        this.listener(terminal, () => undefined),
      );
    } catch (error) {
      this.idle();
      this.tell("bad", "There is no such run here", [
        (error as Error).message,
        "Runs are seen by who started them, and forgotten after a while.",
      ]);
    }
  }

  private listener(terminal: Terminal, onNew: (id: string) => void): Listener {
    const mine = () => this.following === following;
    let following: Following | null = null;
    queueMicrotask(() => {
      following = this.following;
    });
    let words = "Sending";
    return {
      onId: (id) => {
        if (!mine() || this.current === id) return;
        this.current = id;
        this.showLink(id);
        onNew(id);
      },
      onState: (state, stage) => {
        if (!mine()) return;
        words =
          state === "queued"
            ? "Waiting for its turn"
            : stage === "compile"
              ? "Compiling"
              : "Running";
        this.tell("busy", words);
      },
      onOutput: (source, piece) => (mine() ? this.put(terminal, source, piece) : undefined),
      onConnection: (here) => {
        if (mine()) this.tell("busy", here ? words : "The connection is lost; trying again");
      },
      onEnd: (run) => {
        if (mine()) this.end(run);
      },
      onRefusal: (error) => {
        if (!mine()) return;
        this.idle();
        this.tell("bad", "Not run", [error.message]);
      },
    };
  }

  private put(
    terminal: Terminal,
    source: Source,
    piece: string | Uint8Array,
  ): Promise<void> | void {
    if (piece.length === 0) return;
    this.texts[source].push(
      typeof piece === "string" ? piece : this.decoders[source].decode(piece, { stream: true }),
    );
    if (this.view === source) this.drawPlain();
    return terminal.write(source, piece);
  }

  private showLink(id: string): void {
    const path = `/r/${id}`;
    const copy = h("button", { type: "button", class: "quiet", id: "share" }, "Copy link");
    copy.addEventListener("click", async () => {
      const url = new URL(path, location.href).href;
      try {
        await navigator.clipboard.writeText(url);
        copy.textContent = "Copied";
      } catch {
        window.prompt("The link of this run", url);
      }
      announce("The link is copied");
      setTimeout(() => {
        copy.textContent = "Copy link";
      }, 2000);
    });
    const fork = h(
      "button",
      { type: "button", class: "quiet", id: "fork", title: "A copy of this program, to change" },
      "Fork",
    );
    fork.addEventListener("click", async () => {
      await this.reset();
      this.go("/");
      this.tell("neutral", "A copy to change", ["The run that it came from stays as it is."]);
      this.bench.editor.focus();
    });
    this.link.replaceChildren(copy, fork);
  }

  private end(run: Run): void {
    this.following = null;
    // What a compiler says is not streamed; it stands in the outcome.
    const last = run.outcome?.stages.at(-1);
    if (last?.stage === "compile" && this.texts.stdout.length + this.texts.stderr.length === 0) {
      void this.getTerminal().then((terminal) => {
        if (this.shown !== run) return;
        void this.put(terminal, "stdout", last.stdout.text);
        void this.put(terminal, "stderr", last.stderr.text);
      });
    }
    this.shown = run;
    this.idle();
    const { tone, sentence, notes } = ending(run);
    const silent = (run.outcome?.stages ?? []).every(
      (stage) => stage.stdout.total_bytes + stage.stderr.total_bytes === 0,
    );
    if (tone === "good" && silent) notes.push("It wrote nothing.");
    this.tell(tone, sentence, notes);
    const places = placesOf(run, this.sent);
    this.bench.editor.mark(places);
    this.drawProblems(places);
    this.drawDownloads(run);
    void this.drawArtifacts(run);
    void this.drawPictures(run);
    if (this.view !== "all") this.drawPlain();
  }

  // ---- What belongs to it ----

  private look(view: View): void {
    this.view = view;
    for (const [each, button] of this.views)
      button.setAttribute("aria-pressed", String(each === view));
    this.screen.hidden = view !== "all";
    this.plain.hidden = view === "all";
    if (view !== "all") this.drawPlain();
  }

  private drawPlain(): void {
    if (this.view === "all") return;
    const text = this.texts[this.view].join("");
    this.plain.textContent = text === "" ? `Nothing on ${this.view}.` : text.slice(0, 200_000);
    if (text.length > 200_000) this.plain.append("\n… the rest is in the download");
  }

  private drawProblems(places: Place[]): void {
    this.problems.hidden = places.length === 0;
    const kinds = { error: "error", warning: "warning", info: "note" };
    this.problems.replaceChildren(
      h("h2", {}, places.every((place) => place.severity === "info") ? "Notes" : "Problems"),
      h(
        "ul",
        {},
        ...places.map((place) =>
          h(
            "li",
            { class: place.severity },
            h(
              "button",
              { type: "button", onclick: () => this.bench.editor.goTo(place) },
              h("span", { class: "kind" }, kinds[place.severity]),
              h("span", { class: "where" }, `${place.path}:${place.line}`),
              h("span", {}, place.message),
            ),
          ),
        ),
      ),
    );
  }

  private drawDownloads(run: Run): void {
    const buttons: HTMLElement[] = [];
    for (const source of ["stdout", "stderr"] as const) {
      const streams: Stream[] = (run.outcome?.stages ?? []).map((stage) => stage[source]);
      const total = streams.reduce((sum, stream) => sum + stream.total_bytes, 0);
      if (total === 0) continue;
      buttons.push(
        h(
          "button",
          {
            type: "button",
            class: "quiet",
            id: `download-${source}`,
            "aria-label": `Download ${source}`,
            onclick: () => {
              const parts = streams.map((stream) =>
                stream.base64 === undefined ? stream.text : bytesOf(stream.base64),
              );
              void new Blob(parts)
                .arrayBuffer()
                .then((content) => download(`${run.id}-${source}.txt`, content));
            },
          },
          `${source} ${bytes(total)} ↓`,
        ),
      );
    }
    this.downloads.replaceChildren(...buttons);
  }

  private async drawArtifacts(run: Run): Promise<void> {
    const ours = new Set(this.sent);
    const list = (run.outcome?.artifacts ?? []).filter((each) => !ours.has(each.path));
    this.artifacts.hidden = list.length === 0;
    if (list.length === 0) return;
    // What can be looked at comes first.
    const rank = (path: string) => (/\.(png|jpe?g|gif|webp|svg)$/i.test(path) ? 0 : 1);
    list.sort((a, b) => rank(a.path) - rank(b.path));
    const cards = await showArtifacts(run.id, list);
    if (this.shown === run) this.artifacts.replaceChildren(h("h2", {}, "Files"), ...cards);
  }

  private async drawPictures(run: Run): Promise<void> {
    const { outcome } = run;
    const stage = outcome?.stages.at(-1);
    this.pictures.hidden = stage === undefined;
    if (outcome === null || stage === undefined) return;
    const known = await walls();
    if (this.shown !== run) return;
    this.pictures.replaceChildren(
      h("h2", {}, "What happened"),
      phaseBar(outcome.stages),
      gauges(stage),
      deniedCalls(stage) ?? "",
      shields(stage, known),
      facts(outcome.stages, outcome.toolchain, outcome.policy),
    );
  }
}
