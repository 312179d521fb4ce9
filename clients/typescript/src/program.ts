// A program as the service wants to be told of it.
import { base64Of } from "./bytes.js";
import type { Content, Input, Program, RunRequest } from "./types.js";

function content(value: Content | Uint8Array): Content {
  if (!(value instanceof Uint8Array)) return value;
  return { content: base64Of(value), encoding: "base64" };
}

function files(given: NonNullable<Program["files"]>): NonNullable<RunRequest["files"]> {
  if (Array.isArray(given)) return given;
  return Object.entries(given).map(([path, value]) => {
    return typeof value === "string"
      ? { path, content: value }
      : { path, content: base64Of(value), encoding: "base64" as const };
  });
}

export function inputOf(input: Input): { stdin?: Content; expected?: Content } {
  const { stdin, expected } = input;
  return {
    ...(stdin === undefined ? {} : { stdin: content(stdin) }),
    ...(expected === undefined ? {} : { expected: content(expected) }),
  };
}

export function requestOf(program: Program): RunRequest {
  const { files: given, stdin, expected, ...rest } = program;
  if ((program.source == null) === (given == null)) {
    throw new TypeError("give either source or files");
  }
  return {
    ...rest,
    ...inputOf(program),
    ...(given == null ? {} : { files: files(given) }),
  } as RunRequest; // that source comes with a language is the service's to check
}
