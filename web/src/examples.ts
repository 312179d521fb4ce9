// The example programs: examples/index.json and the files it names, a chunk of their own.
import index from "../examples/index.json";

export interface Example {
  title: string;
  language: string;
  file: string;
  input?: "auto" | "text" | "terminal";
  stdin?: string;
  limits?: Record<string, string>;
  tests?: { stdin: string; expected: string }[];
}

const texts = import.meta.glob<string>("../examples/programs/*", {
  query: "?raw",
  import: "default",
  eager: true,
});

export const examples = index as Example[];

export function sourceOf(example: Example): string {
  return texts[`../examples/programs/${example.file}`] ?? "";
}
