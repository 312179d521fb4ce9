// Notebooks as files: nbformat 4. What is read comes from anybody, so each part is looked at, and what is
// wrong is named with its place and its limit.
import { bytes, count } from "../format";
import {
  type Bundle,
  type Cell,
  type Json,
  type JsonObject,
  type Kind,
  makeCell,
  type Notebook,
  type Output,
  shortened,
} from "./model";

export const MOST_BYTES = 16 * 1024 * 1024;
export const MOST_CELLS = 1000;
const MOST_SOURCE = 1_000_000; // characters of a cell
const MOST_OUTPUTS = 500; // of a cell
const DEEPEST = 64;
const ID = /^[a-zA-Z0-9_-]{1,64}$/;

export class Malformed extends Error {}

function fail(place: string, what: string): never {
  throw new Malformed(place === "" ? what : `${place}: ${what}`);
}

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isJsonType = (mime: string) => /^application\/(.*\+)?json$/.test(mime);

function object(value: Json | undefined, place: string): JsonObject {
  if (!isObject(value)) fail(place, "must be an object");
  return value;
}

function list(value: Json | undefined, place: string, most: number): Json[] {
  if (!Array.isArray(value)) fail(place, "must be a list");
  if (value.length > most) {
    fail(
      place,
      `has ${count(value.length, "entry", "entries")}; at most ${most.toLocaleString("en")}`,
    );
  }
  return value;
}

// A text, or its lines.
function text(value: Json | undefined, place: string): string {
  if (typeof value === "string") return value;
  if (!Array.isArray(value)) fail(place, "must be a text or a list of texts");
  const strange = value.findIndex((each) => typeof each !== "string");
  if (strange >= 0) fail(`${place}[${strange}]`, "must be a text");
  return value.join("");
}

// A number of an execution; other writers leave strange ones, which are not worth a refusal.
const number = (value: Json | undefined) =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : null;

// Without recursion, which such a value would break.
function checkDepth(value: Json): void {
  let level: Json[] = [value];
  for (let depth = 0; level.length > 0; ++depth) {
    if (depth > DEEPEST) fail("", `the notebook is nested deeper than ${DEEPEST} levels`);
    const below: Json[] = [];
    for (const each of level) {
      if (typeof each !== "object" || each === null) continue;
      for (const child of Object.values(each)) below.push(child);
    }
    level = below;
  }
}

function readBundle(value: Json | undefined, place: string): Bundle {
  const entries = Object.entries(object(value, place)).map(([mime, each]) => {
    if (isJsonType(mime)) return [mime, each];
    return [mime, text(each, `${place}[${JSON.stringify(mime.slice(0, 100))}]`)];
  });
  return Object.fromEntries(entries) as Bundle;
}

function readOutput(value: Json, place: string): Output {
  const output = object(value, place);
  const type = output.output_type;
  if (type === "stream") {
    const { name } = output;
    if (name !== "stdout" && name !== "stderr") {
      fail(`${place}.name`, 'must be "stdout" or "stderr"');
    }
    return { type, name, text: shortened(text(output.text, `${place}.text`)) };
  }
  if (type === "execute_result" || type === "display_data") {
    const { metadata } = output;
    return {
      type: "display",
      main: type === "execute_result",
      count: number(output.execution_count),
      data: readBundle(output.data, `${place}.data`),
      metadata: metadata === undefined ? {} : object(metadata, `${place}.metadata`),
    };
  }
  if (type === "error") {
    const traceback = list(output.traceback, `${place}.traceback`, 10_000);
    const lines = traceback.map((line, index) => {
      if (typeof line !== "string") fail(`${place}.traceback[${index}]`, "must be a text");
      return line;
    });
    return {
      type,
      name: text(output.ename, `${place}.ename`),
      value: text(output.evalue, `${place}.evalue`),
      traceback: shortened(lines.join("\n")),
    };
  }
  fail(
    `${place}.output_type`,
    'must be "stream", "display_data", "execute_result" or "error"' +
      (typeof type === "string" ? `, and is ${JSON.stringify(type.slice(0, 40))}` : ""),
  );
}

const KINDS: readonly string[] = ["code", "markdown", "raw"];

function readCell(value: Json, place: string, seen: Set<string>): Cell {
  const from = object(value, place);
  const kind = from.cell_type;
  if (typeof kind !== "string" || !KINDS.includes(kind)) {
    fail(`${place}.cell_type`, 'must be "code", "markdown" or "raw"');
  }
  const cell = makeCell(kind as Kind);
  const { id } = from;
  if (id !== undefined) {
    if (typeof id !== "string" || !ID.test(id)) {
      fail(`${place}.id`, "must be 1 to 64 letters, digits, - and _");
    }
    // A copy of a cell has the id of its original in some editors.
    if (!seen.has(id)) cell.id = id;
  }
  seen.add(cell.id);
  cell.source = text(from.source, `${place}.source`);
  if (cell.source.length > MOST_SOURCE) {
    fail(
      `${place}.source`,
      `has ${count(cell.source.length, "character")}; at most ${MOST_SOURCE.toLocaleString("en")}`,
    );
  }
  if (from.metadata !== undefined) cell.metadata = object(from.metadata, `${place}.metadata`);
  if (from.attachments !== undefined) {
    cell.attachments = object(from.attachments, `${place}.attachments`);
  }
  if (kind === "code") {
    cell.count = number(from.execution_count);
    const outputs = from.outputs === undefined ? [] : from.outputs;
    cell.outputs = list(outputs, `${place}.outputs`, MOST_OUTPUTS).map((each, index) =>
      readOutput(each, `${place}.outputs[${index}]`),
    );
  }
  return cell;
}

export function readNotebook(content: string): Notebook {
  let value: Json;
  try {
    value = JSON.parse(content) as Json;
  } catch (error) {
    fail("", `the file is not JSON: ${(error as Error).message.slice(0, 200)}`);
  }
  checkDepth(value);
  if (!isObject(value)) fail("", "the file is JSON, but no notebook: it must be an object");
  if (typeof value.nbformat !== "number") fail("nbformat", "must be a number; this is no notebook");
  if (value.nbformat !== 4) fail("nbformat", `is ${value.nbformat}; only 4 can be opened`);
  const seen = new Set<string>();
  return {
    metadata: value.metadata === undefined ? {} : object(value.metadata, "metadata"),
    cells: list(value.cells, "cells", MOST_CELLS).map((each, index) =>
      readCell(each, `cells[${index}]`, seen),
    ),
  };
}

export function readFile(content: Uint8Array): Notebook {
  if (content.length > MOST_BYTES) {
    fail("", `the file has ${bytes(content.length)}; a notebook may have ${bytes(MOST_BYTES)}`);
  }
  let words: string;
  try {
    words = new TextDecoder("utf-8", { fatal: true }).decode(content);
  } catch {
    fail("", "the file is not a text in UTF-8");
  }
  return readNotebook(words);
}

// ---- Writing ----

// As lines, each with its end: a change of one line is one line in a comparison of two files.
function lines(words: string): string[] {
  return words.match(/[^\n]*\n|[^\n]+/g) ?? [];
}

const isText = (mime: string) => mime.startsWith("text/") || mime === "image/svg+xml";

function writeOutput(output: Output): Json {
  switch (output.type) {
    case "stream":
      return { output_type: "stream", name: output.name, text: lines(output.text) };
    case "error":
      return {
        output_type: "error",
        ename: output.name,
        evalue: output.value,
        traceback: output.traceback.replace(/\n$/, "").split("\n"),
      };
    case "display": {
      const data = Object.fromEntries(
        Object.entries(output.data).map(([mime, value]) => [
          mime,
          isText(mime) && typeof value === "string" ? lines(value) : value,
        ]),
      );
      const { metadata } = output;
      return output.main
        ? { output_type: "execute_result", execution_count: output.count, data, metadata }
        : { output_type: "display_data", data, metadata };
    }
  }
}

function writeCell(cell: Cell): Json {
  const { id, metadata } = cell;
  const source = lines(cell.source);
  if (cell.kind === "code") {
    const outputs = cell.outputs.map(writeOutput);
    return { cell_type: "code", execution_count: cell.count, id, metadata, outputs, source };
  }
  const attachments = cell.attachments === null ? {} : { attachments: cell.attachments };
  return { cell_type: cell.kind, ...attachments, id, metadata, source };
}

const KERNEL: JsonObject = {
  kernelspec: { display_name: "Python 3", language: "python", name: "python3" },
  language_info: { file_extension: ".py", mimetype: "text/x-python", name: "python" },
};

export function writeNotebook(notebook: Notebook): string {
  const value: Json = {
    cells: notebook.cells.map(writeCell),
    metadata: { ...KERNEL, ...notebook.metadata },
    nbformat: 4,
    nbformat_minor: 5,
  };
  return `${JSON.stringify(value, null, 1)}\n`;
}

// The language that a notebook says it is in, where it says so.
export function languageOf(notebook: Notebook): string | null {
  const { kernelspec, language_info } = notebook.metadata;
  const language =
    (isObject(kernelspec) ? kernelspec.language : undefined) ??
    (isObject(language_info) ? language_info.name : undefined);
  return typeof language === "string" ? language.slice(0, 40) : null;
}
