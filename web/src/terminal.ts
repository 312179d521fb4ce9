// The terminal. What a program writes can colour and move there, and nothing else: no links, no titles,
// no clipboard, no answer to a question that nobody sees.
import "@xterm/xterm/css/xterm.css";
import { FitAddon } from "@xterm/addon-fit";
import { Terminal as Xterm } from "@xterm/xterm";
import type { Source } from "./follow";

const ENOUGH_WAITING = 256 * 1024;

const THEMES = {
  light: {
    background: "#fbfbfa",
    foreground: "#1b2125",
    cursor: "#0b7266",
    cursorAccent: "#ffffff",
    selectionBackground: "#bfe0da",
    black: "#1b2125",
    red: "#b3261e",
    green: "#1f6f3a",
    yellow: "#7a5a00",
    blue: "#1f5fa8",
    magenta: "#8a3a8f",
    cyan: "#0b6e74",
    white: "#5f6b72",
    brightBlack: "#5f6b72",
    brightRed: "#b3261e",
    brightGreen: "#1f6f3a",
    brightYellow: "#7a5a00",
    brightBlue: "#1f5fa8",
    brightMagenta: "#8a3a8f",
    brightCyan: "#0b6e74",
    brightWhite: "#1b2125",
  },
  dark: {
    background: "#111517",
    foreground: "#e4e8ea",
    cursor: "#5cc8b8",
    cursorAccent: "#111517",
    selectionBackground: "#28504a",
    black: "#5f6b72",
    red: "#ff8f85",
    green: "#7fd19b",
    yellow: "#e6c068",
    blue: "#8ab8f2",
    magenta: "#d9a0dd",
    cyan: "#6fd0d6",
    white: "#c9d0d4",
    brightBlack: "#8b979e",
    brightRed: "#ffaaa2",
    brightGreen: "#9fe0b5",
    brightYellow: "#f0d28c",
    brightBlue: "#a9ccf7",
    brightMagenta: "#e6bdea",
    brightCyan: "#97dfe3",
    brightWhite: "#ffffff",
  },
};

export class Terminal {
  private readonly xterm: Xterm;
  private readonly fit = new FitAddon();
  private waiting = 0;
  private interactive = false;

  constructor(
    private readonly host: HTMLElement,
    dark: boolean,
    onType: (text: string) => void,
    onResize: (rows: number, columns: number) => void,
    onLeave: () => void,
  ) {
    this.xterm = new Xterm({
      fontFamily: "'JetBrains Mono Variable', ui-monospace, monospace",
      fontSize: 13,
      lineHeight: 1.35,
      scrollback: 20_000,
      convertEol: true,
      disableStdin: true,
      cursorBlink: false,
      cursorInactiveStyle: "none",
      minimumContrastRatio: 4.5,
      linkHandler: { activate: () => undefined },
      theme: THEMES[dark ? "dark" : "light"],
    });
    this.xterm.loadAddon(this.fit);
    const swallow = () => true;
    // Title, icon, folder, links, notices, clipboard, and what other terminals made of these.
    for (const code of [0, 1, 2, 7, 8, 9, 50, 52, 99, 133, 777, 1337]) {
      this.xterm.parser.registerOscHandler(code, swallow);
    }
    // Reports of the window, which could be taken for what somebody typed.
    this.xterm.parser.registerCsiHandler({ final: "t" }, swallow);
    this.xterm.parser.registerDcsHandler({ intermediates: "$", final: "q" }, swallow);
    this.xterm.parser.registerDcsHandler({ intermediates: "+", final: "q" }, swallow);
    this.xterm.open(host);
    this.xterm.textarea?.setAttribute("aria-label", "Terminal; Shift+Tab leaves it");
    this.xterm.onData((text) => {
      if (this.interactive) onType(text);
    });
    this.xterm.onResize(({ rows, cols }) => onResize(rows, cols));
    this.xterm.attachCustomKeyEventHandler((event) => {
      if (event.key === "Tab" && (event.shiftKey || !this.interactive)) {
        if (event.type === "keydown" && event.shiftKey && this.interactive) {
          event.preventDefault();
          onLeave();
        }
        return false;
      }
      // Text that is chosen is copied; else Ctrl+C goes to the program.
      if (event.ctrlKey && event.key === "c" && this.xterm.hasSelection()) return false;
      return true;
    });
    new ResizeObserver(() => this.layOut()).observe(host);
    this.layOut();
  }

  private layOut(): void {
    if (this.host.clientWidth > 20 && this.host.clientHeight > 20) this.fit.fit();
  }

  get rows(): number {
    return this.xterm.rows;
  }
  get columns(): number {
    return this.xterm.cols;
  }

  theme(dark: boolean): void {
    this.xterm.options.theme = THEMES[dark ? "dark" : "light"];
  }

  clear(): void {
    this.xterm.reset();
    this.waiting = 0;
  }

  take(interactive: boolean): void {
    this.interactive = interactive;
    this.xterm.options.disableStdin = !interactive;
    this.xterm.options.cursorBlink = interactive;
    // The program's terminal makes its own line ends.
    this.xterm.options.convertEol = !interactive;
    if (interactive) this.xterm.focus();
    else this.xterm.write("\x1b[?25l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?2004l\x1b[?1l");
  }

  // Resolves at once, or when what waits has been drawn.
  write(source: Source, piece: string | Uint8Array): Promise<void> | void {
    const length = piece.length;
    this.waiting += length;
    const drawn = new Promise<void>((done) => {
      const after = () => {
        this.waiting -= length;
        done();
      };
      if (source === "stderr") this.xterm.write("\x1b[31m");
      this.xterm.write(piece, source === "stderr" ? undefined : after);
      if (source === "stderr") this.xterm.write("\x1b[39m", after);
    });
    return this.waiting > ENOUGH_WAITING ? drawn : undefined;
  }

  // What can be seen, for those who ask the page and not the eyes.
  shown(): string {
    const buffer = this.xterm.buffer.active;
    const lines: string[] = [];
    for (let at = 0; at < buffer.length; ++at) {
      lines.push(buffer.getLine(at)?.translateToString(true) ?? "");
    }
    return lines.join("\n").trimEnd();
  }
}
