// What a program writes to a terminal, as text with colours. Everything else that a terminal would do is
// left out: cursors, titles, links, the clipboard, reports. Libraries for it know colours alone, make HTML or need a
// terminal's screen: strings to leave out, lines written anew and the bound of pieces would stay here.
import { h } from "../dom";

export interface Span {
  text: string;
  classes: string;
}

interface Style {
  bold: boolean;
  faint: boolean;
  italic: boolean;
  underline: boolean;
  inverse: boolean;
  colour: number | null; // 0 to 15
  ground: number | null;
}
const PLAIN: Style = {
  bold: false,
  faint: false,
  italic: false,
  underline: false,
  inverse: false,
  colour: null,
  ground: null,
};

function classesOf(style: Style): string {
  const names: string[] = [];
  if (style.bold) names.push("a-bold");
  if (style.faint) names.push("a-faint");
  if (style.italic) names.push("a-italic");
  if (style.underline) names.push("a-underline");
  // A ground of its own would need the contrast of every pair: it turns the colours over instead.
  if (style.inverse || style.ground !== null) names.push("a-inverse");
  if (style.colour !== null) names.push(`a-${style.colour % 8}`);
  return names.join(" ");
}

// One of 256 colours, or of all, as one of the eight that have a contrast on the page.
function nearest(red: number, green: number, blue: number): number {
  const most = Math.max(red, green, blue);
  const least = Math.min(red, green, blue);
  if (most - least < 40) return most > 190 ? 7 : 0;
  const half = (most + least) / 2;
  return (red > half ? 1 : 0) + (green > half ? 2 : 0) + (blue > half ? 4 : 0);
}

function ofTable(index: number): number {
  if (index < 16) return index;
  if (index >= 232) return index > 248 ? 7 : 0;
  const level = (part: number) => (part === 0 ? 0 : 55 + part * 40);
  const at = index - 16;
  return nearest(level(Math.floor(at / 36)), level(Math.floor(at / 6) % 6), level(at % 6));
}

function coloured(style: Style, codes: number[]): Style {
  let next = { ...style };
  for (let at = 0; at < codes.length; ++at) {
    const code = codes[at] ?? 0;
    if (code === 0) next = { ...PLAIN };
    else if (code === 1) next.bold = true;
    else if (code === 2) next.faint = true;
    else if (code === 3) next.italic = true;
    else if (code === 4) next.underline = true;
    else if (code === 7) next.inverse = true;
    else if (code === 22) next.bold = next.faint = false;
    else if (code === 23) next.italic = false;
    else if (code === 24) next.underline = false;
    else if (code === 27) next.inverse = false;
    else if (code >= 30 && code <= 37) next.colour = code - 30;
    else if (code >= 90 && code <= 97) next.colour = code - 90;
    else if (code >= 40 && code <= 47) next.ground = code - 40;
    else if (code >= 100 && code <= 107) next.ground = code - 100;
    else if (code === 39) next.colour = null;
    else if (code === 49) next.ground = null;
    else if (code === 38 || code === 48) {
      let found = 0;
      if (codes[at + 1] === 5) {
        found = ofTable((codes[at + 2] ?? 0) & 255);
        at += 2;
      } else if (codes[at + 1] === 2) {
        found = nearest(codes[at + 2] ?? 0, codes[at + 3] ?? 0, codes[at + 4] ?? 0);
        at += 4;
      }
      if (code === 38) next.colour = found % 8;
      else next.ground = found % 8;
    }
  }
  return next;
}

// A sequence that begins with ESC or its one-byte form; an unfinished string ends with its line.
const SEQUENCE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  /(?:\x1b\[|\x9b)([0-?]*)[ -/]*([@-~])?|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x9c|\x1b\\)?|\x1b[ -/]*[0-~]?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: what has no look of its own, but tab and line end
const UNSEEN = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/;
const MOST_SPANS = 5000;

export function spansOf(text: string): Span[] {
  const done: Span[] = [];
  let line: Span[] = [];
  let style = PLAIN;
  let classes = "";
  let piece = "";
  let number = 0;
  const close = () => {
    const last = line.at(-1);
    if (piece !== "" && last !== undefined && last.classes === classes) last.text += piece;
    else if (piece !== "") {
      line.push({ text: piece, classes });
      ++number;
    }
    piece = "";
  };
  for (let at = 0; at < text.length; ) {
    const letter = text[at] as string;
    if (letter === "\n") {
      piece += letter;
      close();
      // Lines of one look are one piece: an element for each would be too many.
      for (const span of line) {
        const last = done.at(-1);
        if (last !== undefined && last.classes === span.classes) last.text += span.text;
        else done.push(span);
      }
      line = [];
      ++at;
    } else if (letter === "\r") {
      // A line that is written anew, as a bar of progress does.
      ++at;
      if (text[at] !== "\n" && at < text.length) {
        piece = "";
        line = [];
      }
    } else if (letter === "\b") {
      if (piece !== "") piece = piece.slice(0, -1);
      ++at;
    } else if (UNSEEN.test(letter)) {
      SEQUENCE.lastIndex = at;
      const found = SEQUENCE.exec(text);
      at += Math.max(1, found?.[0].length ?? 0);
      if (found?.[2] === "m" && /^[\d;:]*$/.test(found[1] ?? "") && number < MOST_SPANS) {
        close();
        style = coloured(style, (found[1] ?? "").split(/[;:]/).map(Number));
        classes = classesOf(style);
      }
    } else {
      // Plain letters up to the next that is not.
      let end = at + 1;
      while (end < text.length) {
        const code = text.charCodeAt(end);
        if (code < 32 ? code !== 9 : code >= 127 && code < 160) break;
        ++end;
      }
      piece += text.slice(at, end);
      at = end;
    }
  }
  close();
  return [...done, ...line];
}

export function draw(text: string): Node[] {
  return spansOf(text).map((span) =>
    span.classes === ""
      ? document.createTextNode(span.text)
      : h("span", { class: span.classes }, span.text),
  );
}
