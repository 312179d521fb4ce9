// A notebook as values: cells, and what their code showed. No page and no service in here.

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type JsonObject = { [name: string]: Json };
// One value in several forms, by MIME type; what is not text is base64, what is JSON a value.
export type Bundle = { [mime: string]: Json };

export type Output =
  | { type: "stream"; name: "stdout" | "stderr"; text: string }
  | { type: "display"; main: boolean; count: number | null; data: Bundle; metadata: JsonObject }
  | { type: "error"; name: string; value: string; traceback: string };

export type Kind = "code" | "markdown" | "raw";

export interface Cell {
  id: string;
  kind: Kind;
  source: string;
  count: number | null;
  outputs: Output[];
  metadata: JsonObject;
  attachments: JsonObject | null;
}

export interface Notebook {
  metadata: JsonObject;
  cells: Cell[];
}

export function makeCell(kind: Kind, source = ""): Cell {
  const id = `c${Math.random().toString(36).slice(2, 10).padEnd(8, "0")}`;
  return { id, kind, source, count: null, outputs: [], metadata: {}, attachments: null };
}

// ---- Outputs are bounded, whatever a program writes ----

const MOST_TEXT = 100_000; // characters of one stream, from its beginning and from its end
const SLACK = 50_000; // and so many more, that not every piece makes a long text anew
const MOST_OUTPUTS = 500; // of one cell
const CUT = /\n… ([\d,]+) characters are left out …\n/y;

// The beginning and the end of a text that is too long.
export function shortened(text: string, most = MOST_TEXT): string {
  const half = most / 2;
  // What was left out before stands where the beginning ends.
  CUT.lastIndex = half;
  const before = CUT.exec(text);
  const rest = text.slice(half + (before?.[0].length ?? 0));
  if (rest.length <= half) return text;
  const gone = Number(before?.[1]?.replace(/,/g, "") ?? 0) + rest.length - half;
  const words = `\n… ${gone.toLocaleString("en")} characters are left out …\n`;
  return text.slice(0, half) + words + rest.slice(-half);
}

// Adds to what a cell showed; pieces of one stream that follow each other are one output.
export function addText(outputs: Output[], name: "stdout" | "stderr", text: string): void {
  if (text === "") return;
  const last = outputs.at(-1);
  if (last?.type !== "stream" || last.name !== name) {
    addOutput(outputs, { type: "stream", name, text: shortened(text) });
    return;
  }
  last.text += text;
  if (last.text.length > MOST_TEXT + SLACK) last.text = shortened(last.text);
}

export function addOutput(outputs: Output[], output: Output): void {
  if (outputs.length < MOST_OUTPUTS) outputs.push(output);
  else if (outputs.length === MOST_OUTPUTS) {
    const text = `\nMore than ${MOST_OUTPUTS} outputs: the rest is not shown.\n`;
    outputs.push({ type: "stream", name: "stderr", text });
  }
}
