// The left half of the playground: a program, its language, its options. What it makes is a request.
import {
  type Language,
  type Limits,
  languages,
  policies,
  type RunRequest,
  systemFacts,
  textOf,
} from "./api";
import { announce, byId, h } from "./dom";
import { Editor, type ProgramFile } from "./editor";
import { bytes, milliseconds } from "./format";
import { readsInput } from "./reads";
import { fileOf, filesOf } from "./upload";

const DRAFT = "belljar.draft";
const KEPT_FILES = "*.png, *.jpg, *.gif, *.svg, *.html, *.csv, *.tsv, *.txt, *.json, *.pdf, out/**";

const LIMITS = [
  ["wall", "Time", "wall_ms", milliseconds],
  ["cpu", "Processor time", "cpu_ms", milliseconds],
  ["memory", "Memory", "memory_bytes", bytes],
  ["processes", "Processes", "processes", String],
  ["output", "Output", "output_bytes", bytes],
  ["cpus", "Processors", "cpus", String],
] as const;

export type Input = "auto" | "text" | "terminal";

interface Draft {
  language: string;
  files: ProgramFile[];
  active: number;
  input: Input;
  stdin: string;
  args: string;
  limits: Record<string, string>;
  policy: string;
  keep: string;
}

export class Bench {
  readonly editor: Editor;
  readonly options = h("aside", {
    class: "options",
    id: "options",
    "aria-label": "Options of the run",
  });
  language = "python";
  private known: Language[] = [];
  private readonly languageChoice = h("select", { id: "language", "aria-label": "Language" });
  private readonly exampleChoice = h("select", { id: "example", "aria-label": "Example" });
  readonly actions = h("span", { class: "actions" });
  readonly runButton = h(
    "button",
    { type: "button", class: "primary", id: "run", title: "Ctrl+Enter" },
    h("span", {}, "Run"),
    h("kbd", {}, "Ctrl ⏎"),
  );
  private readonly input = h("select", { id: "input" });
  private readonly stdin = h("textarea", { id: "stdin", rows: 4, spellcheck: false });
  private readonly args = h("textarea", { id: "args", rows: 2, spellcheck: false });
  private readonly keep = h("input", {
    id: "keep",
    type: "text",
    value: KEPT_FILES,
    spellcheck: false,
  });
  private readonly policy = h("select", { id: "policy" });
  private readonly limits = new Map<string, HTMLInputElement>();
  private saving = 0;
  onRun: () => void = () => undefined;
  onChange: () => void = () => undefined;
  ready: Promise<void>;

  constructor() {
    this.editor = new Editor(byId("surface"), byId("file-tabs"), {
      changed: () => this.changed(),
      run: () => this.onRun(),
      leave: () => this.runButton.focus(),
    });
    const more = h(
      "button",
      {
        type: "button",
        class: "quiet",
        id: "more",
        "aria-controls": "options",
        "aria-expanded": "false",
      },
      "Options",
    );
    more.addEventListener("click", () =>
      this.showOptions(!this.options.classList.contains("open")),
    );
    byId("bench-bar").replaceChildren(
      this.languageChoice,
      this.exampleChoice,
      more,
      this.actions,
      this.runButton,
    );
    this.runButton.addEventListener("click", () => this.onRun());
    this.drawOptions();
    byId("right").before(this.options);
    this.showOptions(matchMedia("(min-width: 1280px)").matches);
    this.takeDrops();
    this.ready = this.begin();
  }

  private showOptions(open: boolean): void {
    this.options.classList.toggle("open", open);
    byId("bench").classList.toggle("with-options", open);
    byId("more").setAttribute("aria-expanded", String(open));
  }

  private drawOptions(): void {
    const field = (name: string, hint: string, control: HTMLElement) =>
      h(
        "label",
        { class: "field" },
        h("span", {}, name),
        control,
        hint !== "" && h("small", {}, hint),
      );
    for (const [value, words] of [
      ["auto", "As the program needs it"],
      ["text", "The text below"],
      ["terminal", "Typed while it runs"],
    ] as const) {
      this.input.append(h("option", { value }, words));
    }
    const limits = LIMITS.map(([name, words]) => {
      const control = h("input", {
        type: "text",
        id: `limit-${name}`,
        autocomplete: "off",
        spellcheck: false,
      });
      control.addEventListener("input", () => this.changed());
      this.limits.set(name, control);
      return h("label", { class: "limit" }, h("span", {}, words), control);
    });
    const choose = h("input", { type: "file", multiple: true, id: "files", class: "unseen" });
    choose.addEventListener("change", () => {
      void this.take(choose.files ?? []);
      choose.value = "";
    });
    this.options.append(
      field("Input", "", this.input),
      field("Text for its standard input", "", this.stdin),
      field("Arguments", "One a line", this.args),
      h(
        "fieldset",
        {},
        h("legend", {}, "Limits"),
        h("div", { class: "limits" }, ...limits),
        h("small", { id: "limit-hint" }),
      ),
      field("Policy", "", this.policy),
      field("Files to bring back", "", this.keep),
      h("label", { class: "button quiet", for: "files" }, "Add files or a zip", choose),
    );
    for (const control of [this.input, this.stdin, this.args, this.keep, this.policy]) {
      control.addEventListener("input", () => this.changed());
    }
    this.policy.addEventListener("change", () => void this.drawLimits());
    this.options.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.onRun();
    });
  }

  private async begin(): Promise<void> {
    const [known, facts, kinds] = await Promise.all([languages(), systemFacts(), policies()]);
    this.known = known;
    const there = known.filter((each) => each.available);
    const missing = known.filter((each) => !each.available);
    this.languageChoice.replaceChildren(
      ...there.map((each) => h("option", { value: each.name }, each.title)),
      ...missing.map((each) =>
        h("option", { value: each.name, disabled: true }, `${each.title} (needs ${each.package})`),
      ),
    );
    this.policy.replaceChildren(
      ...kinds.map((each) => h("option", { value: each.name }, each.name)),
    );
    this.policy.value = facts.default_policy;
    this.languageChoice.addEventListener("change", () =>
      this.chooseLanguage(this.languageChoice.value),
    );
    this.exampleChoice.addEventListener("change", () => void this.chooseExample());
    if (!this.restore()) {
      const first = there.find((each) => each.name === "python") ?? there[0];
      if (first !== undefined) this.setLanguage(first.name);
      if (!this.editor.touched) this.hello();
      else this.editor.rename(0, this.mainFile());
    }
    await this.drawLimits();
    void this.drawExamples();
  }

  private languageOf(name: string): Language | undefined {
    return this.known.find((each) => each.name === name || each.aliases.includes(name));
  }

  get title(): string {
    return this.languageOf(this.language)?.title ?? this.language;
  }

  private mainFile(): string {
    const language = this.languageOf(this.language);
    if (language?.name === "java") return "Main.java";
    return `main${language?.extensions[0] ?? ".txt"}`;
  }

  private setLanguage(name: string): void {
    this.language = this.languageOf(name)?.name ?? name;
    this.languageChoice.value = this.language;
    void this.drawExamples();
  }

  // Another language brings its own first program, unless there is one that somebody wrote.
  private chooseLanguage(name: string): void {
    this.setLanguage(name);
    const language = this.languageOf(name);
    if (this.editor.touched && this.editor.files.length > 1) {
      this.changed();
      return;
    }
    if (this.editor.touched && language !== undefined) {
      const ours = this.known.some(
        (each) => each.hello.source.trim() === this.editor.files[0]?.text.trim(),
      );
      const empty = this.editor.files[0]?.text.trim() === "";
      if (
        !ours &&
        !empty &&
        !window.confirm(`Put a first ${language.title} program in the place of yours?`)
      ) {
        this.editor.rename(0, this.mainFile());
        this.changed();
        return;
      }
    }
    this.hello();
  }

  private hello(): void {
    const language = this.languageOf(this.language);
    this.setProgram([
      { path: this.mainFile(), text: (language?.hello.source ?? "").replace(/^\n/, "") },
    ]);
  }

  private setProgram(files: ProgramFile[]): void {
    this.editor.replace(files);
    this.editor.touched = false;
    this.editor.mark([]);
    this.changed();
    this.editor.touched = false;
  }

  private async drawExamples(): Promise<void> {
    const { examples } = await import("./examples");
    const mine = examples.filter((each) => each.language === this.language);
    this.exampleChoice.replaceChildren(
      h("option", { value: "" }, "Examples"),
      h("option", { value: "hello" }, "Hello"),
      ...mine.map((each) => h("option", { value: each.file }, each.title)),
    );
  }

  private async chooseExample(): Promise<void> {
    const { examples, sourceOf } = await import("./examples");
    const chosen = this.exampleChoice.value;
    this.exampleChoice.value = "";
    this.input.value = "auto";
    this.stdin.value = "";
    this.args.value = "";
    for (const control of this.limits.values()) control.value = "";
    if (chosen === "hello") this.hello();
    const example = examples.find((each) => each.file === chosen);
    if (example === undefined) return;
    this.input.value = example.input ?? "auto";
    this.stdin.value = example.stdin ?? "";
    for (const [name, value] of Object.entries(example.limits ?? {})) {
      const control = this.limits.get(name);
      if (control !== undefined) control.value = value;
    }
    this.setProgram([{ path: this.mainFile(), text: sourceOf(example) }]);
    this.onExample(example.tests ?? []);
  }
  onExample: (tests: { stdin: string; expected: string }[]) => void = () => undefined;

  private async drawLimits(): Promise<void> {
    const policy = (await policies()).find((each) => each.name === this.policy.value);
    if (policy === undefined) return;
    for (const [name, , field, words] of LIMITS) {
      const value = policy.default[field as keyof Limits];
      this.limits.get(name)?.setAttribute("placeholder", words(value));
    }
    byId("limit-hint").textContent =
      `As 2s, 64M, 10; at most ${milliseconds(policy.maximum.wall_ms)} and ${bytes(policy.maximum.memory_bytes)}.`;
  }

  // ---- What was dropped ----

  private takeDrops(): void {
    const bench = byId("bench");
    bench.addEventListener("dragover", (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      bench.classList.add("dropping");
    });
    bench.addEventListener("dragleave", (event) => {
      if (event.relatedTarget === null) bench.classList.remove("dropping");
    });
    bench.addEventListener(
      "drop",
      (event) => {
        bench.classList.remove("dropping");
        if (!event.dataTransfer?.files.length) return;
        event.preventDefault();
        event.stopPropagation();
        void this.take(event.dataTransfer.files);
      },
      true,
    );
  }

  async take(list: Iterable<File>): Promise<void> {
    try {
      const files = await filesOf(list);
      if (files.length === 0) return;
      const hello = this.languageOf(this.language)?.hello.source.trim();
      const only = this.editor.files.length === 1 ? this.editor.files[0] : undefined;
      // A first program that nobody touched gives way.
      if (only !== undefined && !this.editor.touched && only.text.trim() === hello) {
        this.editor.replace(files);
        this.guessLanguage(files);
      } else this.editor.add(files);
      this.editor.touched = true;
      this.changed();
      announce(`${files.length} files added`);
    } catch (error) {
      announce(`The files were not added: ${(error as Error).message}`);
      this.onTrouble(`The files were not added: ${(error as Error).message}`);
    }
  }
  onTrouble: (words: string) => void = () => undefined;

  private guessLanguage(files: ProgramFile[]): void {
    const ofFile = (file: ProgramFile) =>
      this.known.find(
        (each) => each.available && each.extensions.some((ending) => file.path.endsWith(ending)),
      );
    const main = files.findIndex(
      (file) => /(^|\/)(main|__main__|index)\./i.test(file.path) && ofFile(file),
    );
    const at = main >= 0 ? main : files.findIndex((file) => ofFile(file) !== undefined);
    const file = files[at];
    if (file === undefined) return;
    this.setLanguage(ofFile(file)?.name ?? this.language);
    this.editor.open(at);
  }

  // ---- The request ----

  wantsTerminal(): boolean {
    if (this.input.value !== "auto") return this.input.value === "terminal";
    if (this.stdin.value !== "") return false;
    return readsInput(
      this.language,
      this.editor.files.map((file) => file.text),
    );
  }

  paths(): string[] {
    return this.editor.files.map((file) => file.path);
  }

  // Java wants a file that is called like its public class.
  private nameAfterClass(): void {
    const only = this.editor.files.length === 1 ? this.editor.files[0] : undefined;
    if (this.language !== "java" || only === undefined) return;
    const name =
      /^\s*public\s+(?:final\s+|abstract\s+)*(?:class|record|enum|interface)\s+(\w+)/m.exec(
        only.text,
      )?.[1];
    if (name !== undefined && only.path !== `${name}.java`) this.editor.rename(0, `${name}.java`);
  }

  request(): RunRequest {
    this.nameAfterClass();
    const language = this.languageOf(this.language);
    const fits = (file: ProgramFile) =>
      language?.extensions.some((ending) => file.path.endsWith(ending)) === true;
    const files = this.editor.files;
    const main = files.find((file) => /(^|\/)(main|__main__)\.\w+$/i.test(file.path) && fits(file));
    const entry = main ?? files.find(fits) ?? files[0];
    const limits: Record<string, string> = {};
    for (const [name, control] of this.limits) {
      if (control.value.trim() !== "") limits[name] = control.value.trim();
    }
    const words = (text: string, separator: string) =>
      text
        .split(separator)
        .map((word) => word.trim())
        .filter((word) => word !== "");
    return {
      language: this.language,
      files: files.map((file) =>
        file.base64 === undefined
          ? { path: file.path, content: file.text }
          : { path: file.path, content: file.base64, encoding: "base64" },
      ),
      ...(entry === undefined ? {} : { entry: entry.path }),
      ...(this.stdin.value === "" || this.input.value === "terminal"
        ? {}
        : { stdin: this.stdin.value }),
      ...(this.args.value === "" ? {} : { args: this.args.value.replace(/\n$/, "").split("\n") }),
      ...(Object.keys(limits).length === 0 ? {} : { limits }),
      ...(this.policy.value === "" ? {} : { policy: this.policy.value }),
      artifacts: words(this.keep.value, ","),
    };
  }

  // Shows what an earlier run was asked with.
  load(request: RunRequest): void {
    const files: ProgramFile[] = (request.files ?? []).map((file) =>
      file.encoding === "base64"
        ? fileOf(
            file.path,
            Uint8Array.from(atob(file.content), (letter) => letter.charCodeAt(0)),
          )
        : { path: file.path, text: file.content },
    );
    this.setLanguage(request.language ?? this.language);
    if (typeof request.source === "string")
      files.push({ path: request.entry ?? this.mainFile(), text: request.source });
    this.stdin.value = textOf(request.stdin);
    this.input.value = "auto";
    this.args.value = (request.args ?? []).join("\n");
    this.keep.value = (request.artifacts ?? []).join(", ");
    if (typeof request.policy === "string" && request.policy !== "")
      this.policy.value = request.policy;
    for (const [name, control] of this.limits) {
      const value =
        request.limits?.[name] ??
        request.limits?.[`${name}_ms`] ??
        request.limits?.[`${name}_bytes`];
      control.value = value === undefined || value === null ? "" : String(value);
    }
    void this.drawLimits();
    if (files.length > 0) {
      const entry = files.findIndex((file) => file.path === request.entry);
      this.editor.replace(files, Math.max(0, entry));
      this.editor.mark([]);
    }
    this.changed();
  }

  // ---- The draft, which survives the page ----

  private changed(): void {
    window.clearTimeout(this.saving);
    this.saving = window.setTimeout(() => this.save(), 300);
    this.onChange();
  }

  save(): void {
    const draft: Draft = {
      language: this.language,
      files: this.editor.files,
      active: this.editor.active,
      input: this.input.value as Input,
      stdin: this.stdin.value,
      args: this.args.value,
      limits: Object.fromEntries([...this.limits].map(([name, control]) => [name, control.value])),
      policy: this.policy.value,
      keep: this.keep.value,
    };
    try {
      localStorage.setItem(DRAFT, JSON.stringify(draft));
    } catch {
      // Larger than a browser keeps: then it is there only as long as the page.
    }
  }

  private restore(): boolean {
    let draft: Draft;
    try {
      draft = JSON.parse(localStorage.getItem(DRAFT) ?? "null");
      if (draft === null || !Array.isArray(draft.files) || draft.files.length === 0) return false;
    } catch {
      return false;
    }
    this.setLanguage(draft.language);
    this.input.value = draft.input;
    this.stdin.value = draft.stdin;
    this.args.value = draft.args;
    this.keep.value = draft.keep;
    if ([...this.policy.options].some((option) => option.value === draft.policy))
      this.policy.value = draft.policy;
    for (const [name, value] of Object.entries(draft.limits)) {
      const control = this.limits.get(name);
      if (control !== undefined) control.value = value;
    }
    // What was typed before the script came is newer than the draft.
    if (!this.editor.touched) this.editor.replace(draft.files, draft.active);
    else this.editor.rename(0, this.mainFile());
    return true;
  }
}
