// Places in a program that a compiler, an interpreter or the screening named.
import type { Run } from "./api";

export interface Place {
  path: string;
  line: number;
  column: number; // 1 where only the line is known
  severity: "error" | "warning" | "info";
  message: string;
}

const CLEAN = (path: string) => path.replace(/^(\/box\/|\.\/)+/, "");

// FILE:LINE:COLUMN: error: MESSAGE, with or without the column and the kind.
const COLON =
  /^(?<path>[^\s:][^:\n]*\.\w+):(?<line>\d+)(?::(?<column>\d+))?:? *(?:(?<kind>fatal error|error|warning|note)(?:\[[^\]]*\])?:)? *(?<message>.+)$/;
const ARROW = /^ *--> (?<path>[^:\n]+):(?<line>\d+):(?<column>\d+)$/;
const RUST = /^(?<kind>error|warning)(?:\[\w+\])?: (?<message>.+)$/;
const PYTHON = /^ *File "(?<path>[^"]+)", line (?<line>\d+)/;
const PYTHON_END = /^(?<message>(?:\w+\.)*[A-Z]\w*(?:Error|Exception|Interrupt|Exit|Warning)\b.*)$/;
const PERL = /^(?<message>.+?) at (?<path>\S+) line (?<line>\d+)[.,]/;
const SHELL = /^(?<path>\S+): line (?<line>\d+): (?<message>.+)$/;
const NODE = /^(?<path>\/\S+?):(?<line>\d+)$/;
const NODE_END = /^(?:Uncaught )?(?<message>[A-Z]\w*Error\b.*)$/;
const LUA = /^\S*lua\S*: (?<path>\S+?):(?<line>\d+): (?<message>.+)$/;
const PHP =
  /^(?:PHP )?(?<kind>Parse error|Fatal error|Warning): +(?<message>.+) in (?<path>\S+) on line (?<line>\d+)/;
const TYPESCRIPT =
  /^(?<path>[^\s(]+)\((?<line>\d+),(?<column>\d+)\): (?<kind>error|warning) \w+: (?<message>.+)$/;

export function placesIn(text: string, files: readonly string[]): Place[] {
  const places: Place[] = [];
  const known = new Set(files);
  const add = (groups: Record<string, string | undefined>, message: string, kind = "error") => {
    const path = CLEAN(groups.path ?? "");
    if (!known.has(path) || kind === "note") return;
    places.push({
      path,
      line: Number(groups.line),
      column: Number(groups.column ?? 1),
      severity: kind.toLowerCase() === "warning" ? "warning" : "error",
      message: message.trim(),
    });
  };
  // Where a traceback was last in one of the program's files; its message comes later.
  let python: Record<string, string | undefined> | null = null;
  let node: Record<string, string | undefined> | null = null;
  let rust: { kind: string; message: string } | null = null;
  for (const line of text.slice(0, 200_000).split("\n")) {
    const groups = (pattern: RegExp) => pattern.exec(line)?.groups;
    let found = groups(PYTHON);
    if (found) {
      if (known.has(CLEAN(found.path ?? ""))) python = found;
      continue;
    }
    found = groups(PYTHON_END);
    if (found && python !== null) {
      add(python, found.message ?? "");
      python = null;
      continue;
    }
    found = groups(NODE_END);
    if (found && node !== null) {
      add(node, found.message ?? "");
      node = null;
      continue;
    }
    found = groups(ARROW);
    if (found) {
      if (rust !== null) add(found, rust.message, rust.kind);
      rust = null;
      continue;
    }
    found = groups(RUST);
    if (found) {
      rust = { kind: found.kind ?? "error", message: found.message ?? "" };
      continue;
    }
    found = groups(NODE);
    if (found) {
      node = found;
      continue;
    }
    found =
      groups(SHELL) ??
      groups(LUA) ??
      groups(PHP) ??
      groups(TYPESCRIPT) ??
      groups(PERL) ??
      groups(COLON);
    if (found) add(found, found.message ?? "", found.kind ?? "error");
  }
  return places.slice(0, 100);
}

export function placesOf(run: Run, files: readonly string[]): Place[] {
  const places: Place[] = [];
  for (const stage of run.outcome?.stages ?? []) {
    if (stage.status === "ok" && stage.stage === "run") continue;
    places.push(...placesIn(stage.stderr.text, files));
    if (stage.stage === "compile") places.push(...placesIn(stage.stdout.text, files));
  }
  const screening = run.outcome?.screening;
  for (const each of screening?.findings ?? []) {
    places.push({
      path: each.path,
      line: each.line,
      column: each.column,
      severity: screening?.refused === true ? "error" : "info",
      message: `${each.reason} (${each.text})`,
    });
  }
  // The compiler says it better, where it said something.
  if (!places.some((place) => place.severity === "error")) {
    for (const each of screening?.syntax_errors ?? []) {
      places.push({
        path: each.path,
        line: each.line,
        column: each.column,
        severity: "error",
        message: each.reason,
      });
    }
  }
  const seen = new Set<string>();
  return places.filter((place) => {
    const name = `${place.path}:${place.line}:${place.column}:${place.message}`;
    return seen.has(name) ? false : seen.add(name);
  });
}
