// What came of code that was executed in a session.
import { bytesOf } from "./bytes.js";
import type { ExecutionBody, Output, SessionResult } from "./types.js";

const TEXT = ["application/json", "application/javascript", "application/xml"];

// Whether a result of that type is sent as it is; else it is base64.
function isText(mime: string): boolean {
  return mime.startsWith("text/") || /\+(xml|json)$/.test(mime) || TEXT.includes(mime);
}

// A value by its MIME types: that of the last expression (`main`), or one that the code displayed. `data` has it as the
// service sent it, JSON as what it says.
export class Result {
  readonly main: boolean;
  readonly data: Readonly<Record<string, unknown>>;

  constructor(readonly raw: SessionResult) {
    this.main = raw.main;
    this.data = raw.data;
  }

  // What it is as a type of text; undefined where it is none.
  text(mime = "text/plain"): string | undefined {
    const value = this.data[mime];
    return typeof value === "string" && isText(mime) ? value : undefined;
  }

  // What it is as an image or another type that is no text; undefined where it is none. Throws where that is no base64:
  // the code of a session can make up anything.
  bytes(mime: string): Uint8Array | undefined {
    const value = this.data[mime];
    return typeof value === "string" && !isText(mime) ? bytesOf(value) : undefined;
  }
}

// Code that was executed, or is to be; `raw` has all of it as the service sent it.
export class Execution {
  readonly id: string;
  readonly state: ExecutionBody["state"];
  // How it ended; undefined before the end, and where it is not done.
  readonly status: ExecutionBody["status"];
  // Why, where it did not simply end.
  readonly reason: string | undefined;
  // What the code raised.
  readonly error: NonNullable<ExecutionBody["error"]> | undefined;
  readonly stdout: Output | undefined;
  readonly stderr: Output | undefined;
  readonly results: Result[];
  // Those that are new or have changed.
  readonly files: NonNullable<ExecutionBody["files"]>;
  readonly usage: ExecutionBody["usage"];

  constructor(readonly raw: ExecutionBody) {
    this.id = raw.id;
    this.state = raw.state;
    this.status = raw.status;
    this.reason = raw.reason;
    this.error = raw.error ?? undefined;
    this.stdout = raw.stdout;
    this.stderr = raw.stderr;
    this.results = (raw.results ?? []).map((result) => new Result(result));
    this.files = raw.files ?? [];
    this.usage = raw.usage;
  }

  // Whether nothing more will happen to it.
  get ended(): boolean {
    return this.state !== "queued" && this.state !== "running";
  }

  // Whether the code went to its end and raised nothing.
  get ok(): boolean {
    return this.status === "ok";
  }

  // The last expression's value as text; undefined where there is none.
  get value(): string | undefined {
    return this.results.find((result) => result.main)?.text();
  }
}
