// The files of a program and where they are typed: a plain field at once, which becomes the editor when
// that has come, without losing a key. On a touch screen the field stays: it has the selection and the
// keyboard that people know there.
import { h } from "./dom";
import type { Place } from "./problems";

export interface ProgramFile {
  path: string;
  text: string;
  base64?: string; // instead of a text: it is none
}

export interface Surface {
  text(): string;
  show(path: string, text: string, language: string): void;
  selection(): [number, number];
  hasFocus(): boolean;
  focus(): void;
  reveal(line: number, column: number): void;
  mark(path: string, places: readonly Place[]): void;
  forget(path: string): void;
  theme(dark: boolean): void;
}

export interface SurfaceEvents {
  changed(): void;
  run(): void;
  leave(): void;
  // Gives the new surface what the old one shows, in one go.
  adopt(take: (path: string, text: string, language: string) => void): void;
}

const GRAMMARS: Record<string, string> = {
  bash: "shell",
  sh: "shell",
  c: "c",
  h: "c",
  cpp: "cpp",
  cc: "cpp",
  hpp: "cpp",
  go: "go",
  java: "java",
  javascript: "javascript",
  js: "javascript",
  mjs: "javascript",
  lua: "lua",
  perl: "perl",
  pl: "perl",
  php: "php",
  python: "python",
  py: "python",
  r: "r",
  ruby: "ruby",
  rb: "ruby",
  rust: "rust",
  rs: "rust",
  typescript: "typescript",
  ts: "typescript",
  html: "html",
  svg: "html",
};

export function grammarOf(path: string): string {
  const ending = path.split(".").pop()?.toLowerCase() ?? "";
  return GRAMMARS[ending] ?? "plaintext";
}

class Field implements Surface {
  constructor(
    readonly area: HTMLTextAreaElement,
    events: SurfaceEvents,
  ) {
    area.addEventListener("input", () => events.changed());
    area.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        events.run();
      } else if (event.key === "Escape") {
        event.preventDefault();
        events.leave();
      } else if (event.key === "Tab" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        area.setRangeText("    ", area.selectionStart, area.selectionEnd, "end");
        events.changed();
      }
    });
  }
  text(): string {
    return this.area.value;
  }
  show(_path: string, text: string): void {
    if (this.area.value !== text) this.area.value = text;
  }
  selection(): [number, number] {
    return [this.area.selectionStart, this.area.selectionEnd];
  }
  hasFocus(): boolean {
    return document.activeElement === this.area;
  }
  focus(): void {
    this.area.focus();
  }
  reveal(line: number, column: number): void {
    const lines = this.area.value.split("\n");
    const before = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
    this.area.focus();
    this.area.setSelectionRange(before + column - 1, before + (lines[line - 1]?.length ?? 0));
    this.area.scrollTop = Math.max(0, (line - 4) * 22);
  }
  mark(): void {}
  forget(): void {}
  theme(): void {}
}

export interface EditorEvents {
  changed(): void; // the program is another one
  run(): void;
  leave(): void;
}

export class Editor {
  files: ProgramFile[] = [];
  active = 0;
  private surface: Surface;
  private places: readonly Place[] = [];
  private dark = false;
  touched: boolean; // whether somebody typed

  constructor(
    private readonly host: HTMLElement,
    private readonly tabs: HTMLElement,
    private readonly events: EditorEvents,
  ) {
    const area = host.querySelector("textarea") as HTMLTextAreaElement;
    // What was typed before this script came.
    this.touched = area.value !== "";
    // The browser gives it the focus by itself, but perhaps only after the editor has taken its place.
    if (document.activeElement === document.body) area.focus();
    this.files = [{ path: "main.py", text: area.value }];
    this.surface = new Field(area, this.surfaceEvents());
  }

  private surfaceEvents(): SurfaceEvents {
    return {
      changed: () => {
        this.touched = true;
        const file = this.files[this.active];
        if (file !== undefined) file.text = this.surface.text();
        this.events.changed();
      },
      run: () => this.events.run(),
      leave: () => this.events.leave(),
      adopt: () => undefined,
    };
  }

  async upgrade(): Promise<void> {
    if (matchMedia("(pointer: coarse)").matches) return;
    const { make } = await import("./monaco");
    const field = this.surface;
    if (!(field instanceof Field)) return;
    const place = h("div", { class: "monaco" });
    const events = this.surfaceEvents();
    events.adopt = (take) => {
      const file = this.files[this.active];
      if (file !== undefined) take(file.path, file.text, grammarOf(file.path));
      field.area.remove();
    };
    this.host.append(place);
    this.surface = make(place, field, events);
    this.surface.theme(this.dark);
    this.mark(this.places);
    this.host.dataset.editor = "monaco";
  }

  focus(): void {
    this.surface.focus();
  }

  theme(dark: boolean): void {
    this.dark = dark;
    this.surface.theme(dark);
  }

  replace(files: ProgramFile[], active = 0): void {
    for (const file of this.files) this.surface.forget(file.path);
    this.files = files;
    this.open(Math.min(active, files.length - 1));
  }

  open(index: number): void {
    this.active = index;
    const file = this.files[index];
    if (file === undefined) return;
    const shown = file.base64 === undefined ? file.text : "(not a text; it is sent as it is)";
    this.surface.show(
      file.path,
      shown,
      file.base64 === undefined ? grammarOf(file.path) : "plaintext",
    );
    this.host.toggleAttribute("data-binary", file.base64 !== undefined);
    this.mark(this.places);
    this.draw();
  }

  // Adds files, or gives those that are there another content.
  add(files: ProgramFile[]): void {
    for (const file of files) {
      const at = this.files.findIndex((each) => each.path === file.path);
      if (at >= 0) this.files[at] = file;
      else this.files.push(file);
    }
    const first = files[0];
    if (first !== undefined) this.open(this.files.findIndex((each) => each.path === first.path));
    this.events.changed();
  }

  rename(index: number, path: string): void {
    const file = this.files[index];
    if (file === undefined || path === "" || this.files.some((each) => each.path === path)) return;
    this.surface.forget(file.path);
    file.path = path;
    this.open(this.active);
    this.events.changed();
  }

  remove(index: number): void {
    const file = this.files[index];
    if (this.files.length === 1 || file === undefined) return;
    this.surface.forget(file.path);
    this.files.splice(index, 1);
    this.open(
      Math.max(
        0,
        this.active > index ? this.active - 1 : Math.min(this.active, this.files.length - 1),
      ),
    );
    this.events.changed();
  }

  mark(places: readonly Place[]): void {
    this.places = places;
    for (const file of this.files) {
      this.surface.mark(
        file.path,
        places.filter((place) => place.path === file.path),
      );
    }
  }

  goTo(place: Place): void {
    const at = this.files.findIndex((file) => file.path === place.path);
    if (at < 0) return;
    if (at !== this.active) this.open(at);
    this.surface.reveal(Math.max(1, place.line), Math.max(1, place.column));
  }

  private draw(): void {
    const rename = (index: number) => {
      const file = this.files[index];
      const path = window.prompt("Name of the file", file?.path ?? "");
      if (path !== null) this.rename(index, path.trim());
    };
    this.tabs.replaceChildren(
      ...this.files.map((file, index) =>
        h(
          "span",
          { class: index === this.active ? "tab here" : "tab" },
          h(
            "button",
            {
              type: "button",
              class: "name",
              "aria-pressed": index === this.active ? "true" : "false",
              title: "Click twice to give it another name",
              onclick: () => this.open(index),
              ondblclick: () => rename(index),
              onkeydown: (event: KeyboardEvent) => {
                if (event.key === "F2") rename(index);
              },
            },
            file.path,
          ),
          this.files.length > 1 &&
            h(
              "button",
              {
                type: "button",
                class: "close",
                "aria-label": `Remove ${file.path}`,
                onclick: () => this.remove(index),
              },
              "×",
            ),
        ),
      ),
      h(
        "button",
        {
          type: "button",
          class: "add",
          "aria-label": "Add a file",
          title: "Add a file; or drop files or a zip here",
          onclick: () => {
            const path = window.prompt("Name of the new file", "");
            if (path !== null && path.trim() !== "") this.add([{ path: path.trim(), text: "" }]);
          },
        },
        "+",
      ),
    );
  }
}
