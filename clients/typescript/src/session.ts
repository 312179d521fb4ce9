// Sessions: interpreters that keep what one execution sets for the next.
import type { CallOptions, SubmitOptions } from "./client.js";
import { Execution } from "./execution.js";
import { ExecutionStream } from "./stream.js";
import { type Call, keyed, quoted, type Transport } from "./transport.js";
import type {
  ExecutionBody,
  ExecutionPage,
  ExecutionSummary,
  SessionFile,
  SessionFiles,
  SessionInfo,
  State,
  WantedLimits,
} from "./types.js";

export interface ExecuteOptions extends SubmitOptions {
  // The interpreter's name; `default`.
  context?: string;
  // `wall`, `cpu` and `output`, of this execution alone.
  limits?: WantedLimits;
}

// What is asked of a session that has ended is a Problem with status 409, which says why it has.
export class Session {
  // What Client.attach takes.
  readonly id: string;

  constructor(
    private readonly transport: Transport,
    // The session as it was when it began or was attached to; `look` asks anew.
    readonly info: SessionInfo,
  ) {
    this.id = info.id;
  }

  // Executes code and waits for its end. Code that fails or is stopped is no error: `status` and `error` of the
  // execution say how it ended.
  async execute(code: string, options: ExecuteOptions = {}): Promise<Execution> {
    const call = { ...this.codeCall(code, options), query: { wait: 1 }, waits: true };
    return new Execution(await this.transport.json<ExecutionBody>(call));
  }

  // Has code executed when its turn comes, and answers with the execution's id.
  async submit(code: string, options: ExecuteOptions = {}): Promise<string> {
    return (await this.transport.json<{ id: string }>(this.codeCall(code, options))).id;
  }

  // Executes code and gives its events as they come. It is submitted first, and its events are asked for then: a
  // connection that is lost is taken up where it broke, and without an idempotency key code is never sent twice.
  stream(code: string, options: ExecuteOptions = {}): ExecutionStream {
    const call = this.codeCall(code, options);
    return new ExecutionStream(this.id, this.transport, call, undefined, 0, options.signal);
  }

  // The events of an execution that is there, those from before too, or those after a number.
  events(id: string, options: CallOptions & { after?: number } = {}): ExecutionStream {
    quoted(id);
    const { after = 0, signal } = options;
    return new ExecutionStream(this.id, this.transport, undefined, id, after, signal);
  }

  // An execution as it is now, or with `wait` when it has ended.
  async get(id: string, options: CallOptions & { wait?: boolean } = {}): Promise<Execution> {
    const waits = options.wait === true;
    const query = waits ? { wait: 1 } : {};
    const call = { ...this.call("GET", ["executions", id], options), query, waits };
    return new Execution(await this.transport.json<ExecutionBody>(call));
  }

  // What was executed, newest first, also after the session has ended. A page is asked for when it is needed.
  async *executions(
    options: CallOptions & { state?: State; pageSize?: number } = {},
  ): AsyncGenerator<ExecutionSummary, void, void> {
    const { state, pageSize } = options;
    let cursor: string | undefined;
    do {
      const query = { state, limit: pageSize, cursor };
      const call = { ...this.call("GET", ["executions"], options), query };
      const page: ExecutionPage = await this.transport.json(call);
      yield* page.executions;
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
  }

  // Ends what is executed, which keeps the state; where nothing is, a Problem with status 409.
  async interrupt(options: CallOptions = {}): Promise<void> {
    await this.transport.json(this.call("POST", ["interrupt"], options));
  }

  // The session as it is now.
  look(options: CallOptions = {}): Promise<SessionInfo> {
    return this.transport.json(this.call("GET", [], options));
  }

  // From here on executions are refused (409), and `idle` is not counted; while one is under way: 409.
  pause(options: CallOptions = {}): Promise<SessionInfo> {
    return this.transport.json({ ...this.call("POST", ["pause"], options), repeatable: true });
  }

  // Lets a paused session execute again.
  resume(options: CallOptions = {}): Promise<SessionInfo> {
    return this.transport.json({ ...this.call("POST", ["resume"], options), repeatable: true });
  }

  // The files below /box, once what is executed has ended; so do the other methods for files.
  files(options: CallOptions = {}): Promise<SessionFiles> {
    return this.transport.json({ ...this.call("GET", ["files"], options), waits: true });
  }

  // The bytes of a regular file; `path` is relative to /box.
  readFile(path: string, options: CallOptions = {}): Promise<Uint8Array> {
    return this.transport.bytes(this.fileCall("GET", path, options));
  }

  // Writes a file in place of what is there, and makes the folders on the way.
  writeFile(
    path: string,
    content: string | Uint8Array,
    options: CallOptions = {},
  ): Promise<SessionFile> {
    const body = typeof content === "string" ? new TextEncoder().encode(content) : content;
    return this.transport.json({ ...this.fileCall("PUT", path, options), body, repeatable: true });
  }

  // Removes a file, or an empty folder.
  async removeFile(path: string, options: CallOptions = {}): Promise<void> {
    await this.transport.json(this.fileCall("DELETE", path, options));
  }

  // One more interpreter, with the same files and no variable of the others.
  createContext(name: string, options: CallOptions = {}): Promise<SessionInfo> {
    return this.transport.json({ ...this.call("POST", ["contexts"], options), body: { name } });
  }

  // A fresh interpreter in place of one; the files stay.
  restartContext(name = "default", options: CallOptions = {}): Promise<SessionInfo> {
    return this.transport.json(this.call("POST", ["contexts", name, "restart"], options));
  }

  // Ends an interpreter other than the default one.
  removeContext(name: string, options: CallOptions = {}): Promise<SessionInfo> {
    return this.transport.json(this.call("DELETE", ["contexts", name], options));
  }

  // Ends the session and what is executed in it; of one that has ended already, says so.
  quit(options: CallOptions = {}): Promise<SessionInfo> {
    return this.transport.json({ ...this.call("DELETE", [], options), repeatable: true });
  }

  private call(method: Call["method"], parts: string[], options: CallOptions): Call {
    const path = `/v1/sessions/${[this.id, ...parts].map(quoted).join("/")}`;
    return { method, path, signal: options.signal };
  }

  private fileCall(method: Call["method"], path: string, options: CallOptions): Call {
    return { ...this.call(method, ["files", ...path.split("/")], options), waits: true };
  }

  private codeCall(code: string, options: ExecuteOptions): Call {
    const { context, limits, idempotencyKey } = options;
    const body = { code, context, limits };
    return keyed({ ...this.call("POST", ["executions"], options), body }, idempotencyKey);
  }
}
