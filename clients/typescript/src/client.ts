// A client for Belljar's HTTP service.

import { bytesOf } from "./bytes.js";
import { Problem } from "./errors.js";
import { inputOf, requestOf, sessionRequestOf } from "./program.js";
import { Session } from "./session.js";
import { RunStream } from "./stream.js";
import { type Call, type ClientOptions, keyed, quoted, Transport } from "./transport.js";
import type {
  AcceptedBatch,
  Artifact,
  Batch,
  Input,
  Language,
  Policy,
  Program,
  Run,
  RunPage,
  RunRequest,
  SessionFields,
  SessionInfo,
  State,
  System,
  Wall,
} from "./types.js";

export interface CallOptions {
  // Ends the call; a run that was accepted goes on. `AbortSignal.timeout(ms)` bounds how long it may take.
  signal?: AbortSignal;
}

export interface SubmitOptions extends CallOptions {
  // For a day, the same request with the same key is the same run, batch, session or execution.
  idempotencyKey?: string;
}

export interface ListOptions extends CallOptions {
  state?: State;
  language?: string;
  batch?: string;
  // Runs on one page.
  pageSize?: number;
}

export class Client {
  private readonly transport: Transport;

  constructor(url = "http://127.0.0.1:8000", options: ClientOptions = {}) {
    this.transport = new Transport(url, options);
  }

  // ---- Runs ----

  // Runs a program and waits for its end. A program that fails or is stopped is no error: `status` of the run says how
  // it ended.
  run(program: Program, options: SubmitOptions = {}): Promise<Run> {
    return this.transport.json({ ...runCall(program, options), query: { wait: 1 }, waits: true });
  }

  // Has a program accepted, which makes it durable, and answers with the run's id.
  async submit(program: Program, options: SubmitOptions = {}): Promise<string> {
    return (await this.transport.json<{ id: string }>(runCall(program, options))).id;
  }

  // Runs a program and gives its events as they come. Without an idempotency key it has one of its own, so that a lost
  // connection never makes a second run.
  stream(program: Program, options: SubmitOptions = {}): RunStream {
    const idempotencyKey = options.idempotencyKey ?? uniqueKey();
    const call = { ...runCall(program, { ...options, idempotencyKey }), query: { stream: 1 } };
    return new RunStream(this.transport, call, undefined, 0, options.signal);
  }

  // The events of a run that is there, those from before too, or those after a number.
  events(id: string, options: CallOptions & { after?: number } = {}): RunStream {
    quoted(id);
    return new RunStream(this.transport, undefined, id, options.after ?? 0, options.signal);
  }

  // A run as it is now, or with `wait` when it has ended.
  get(id: string, options: CallOptions & { wait?: boolean } = {}): Promise<Run> {
    const wait = options.wait === true;
    const query = wait ? { wait: 1 } : {};
    return this.transport.json({ ...getCall(["runs", id], options), query, waits: wait });
  }

  // The caller's runs, newest first, without their outcomes. A page is asked for when it is needed.
  async *list(options: ListOptions = {}): AsyncGenerator<Run, void, void> {
    const { state, language, batch, pageSize } = options;
    let cursor: string | undefined;
    do {
      const query = { state, language, batch, limit: pageSize, cursor };
      const page: RunPage = await this.transport.json({ ...getCall(["runs"], options), query });
      yield* page.runs;
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
  }

  // Ends a run; of one that has ended already, a Problem with status 409.
  async cancel(id: string, options: CallOptions = {}): Promise<void> {
    await this.transport.json({ ...getCall(["runs", id, "cancel"], options), method: "POST" });
  }

  // What a run was asked for with, as it was recorded.
  request(id: string, options: CallOptions = {}): Promise<RunRequest> {
    return this.transport.json(getCall(["runs", id, "request"], options));
  }

  // The files that a run left.
  async artifacts(id: string, options: CallOptions = {}): Promise<Artifact[]> {
    const call = getCall(["runs", id, "artifacts"], options);
    return (await this.transport.json<{ artifacts: Artifact[] }>(call)).artifacts;
  }

  // The bytes of one of them, by its path; or by what tells of it, where the path may be no text.
  artifact(
    id: string,
    which: string | Pick<Artifact, "path" | "path_base64">,
    options: CallOptions = {},
  ): Promise<Uint8Array> {
    const { path, path_base64 } = typeof which === "string" ? { path: which } : which;
    const call = getCall(["runs", id, "artifacts", ...path.split("/")], options);
    if (path_base64 !== undefined) {
      call.path = `${getCall(["runs", id, "artifacts"]).path}/${escaped(bytesOf(path_base64))}`;
    }
    return this.transport.bytes(call);
  }

  // ---- Batches ----

  // Has several programs accepted together.
  batch(programs: Program[], options: SubmitOptions = {}): Promise<AcceptedBatch> {
    return this.transport.json(postCall("/v1/batches", { runs: programs.map(requestOf) }, options));
  }

  // Has one program accepted with several inputs, each with what it should write where there shall be a verdict.
  batchOfInputs(
    program: Program,
    inputs: Input[],
    options: SubmitOptions = {},
  ): Promise<AcceptedBatch> {
    const body = { program: requestOf(program), inputs: inputs.map(inputOf) };
    return this.transport.json(postCall("/v1/batches", body, options));
  }

  // How far a batch is.
  getBatch(id: string, options: CallOptions = {}): Promise<Batch> {
    return this.transport.json(getCall(["batches", id], options));
  }

  // ---- Sessions ----

  // Begins a session, which keeps what one execution sets for the next, until `quit`. After `ttl`, or `idle` without an
  // execution, it ends by itself.
  async session(fields: SessionFields = {}, options: SubmitOptions = {}): Promise<Session> {
    const call = postCall("/v1/sessions", sessionRequestOf(fields), options);
    return new Session(this.transport, await this.transport.json<SessionInfo>(call));
  }

  // A session that is there; of one that is not, a Problem with status 404.
  async attach(id: string, options: CallOptions = {}): Promise<Session> {
    const call = getCall(["sessions", id], options);
    return new Session(this.transport, await this.transport.json<SessionInfo>(call));
  }

  // The caller's sessions, oldest first; those that have ended for ten minutes more.
  async sessions(options: CallOptions = {}): Promise<SessionInfo[]> {
    const call = getCall(["sessions"], options);
    return (await this.transport.json<{ sessions: SessionInfo[] }>(call)).sessions;
  }

  // ---- The service ----

  // The languages, and which of them the host can run.
  async languages(options: CallOptions = {}): Promise<Language[]> {
    const call = getCall(["languages"], options);
    return (await this.transport.json<{ languages: Language[] }>(call)).languages;
  }

  // The policies, with their limits.
  async policies(options: CallOptions = {}): Promise<Policy[]> {
    const call = getCall(["policies"], options);
    return (await this.transport.json<{ policies: Policy[] }>(call)).policies;
  }

  // What the walls are that outcomes name.
  async walls(options: CallOptions = {}): Promise<Wall[]> {
    return (await this.transport.json<{ walls: Wall[] }>(getCall(["walls"], options))).walls;
  }

  // The service and its host.
  system(options: CallOptions = {}): Promise<System> {
    return this.transport.json(getCall(["system"], options));
  }

  // Whether the service lives.
  async health(options: CallOptions = {}): Promise<boolean> {
    return (await this.plain<{ status: string }>("/healthz", options)).status === "ok";
  }

  // Whether the service takes runs.
  async ready(options: CallOptions = {}): Promise<boolean> {
    try {
      return (await this.plain<{ status: string }>("/readyz", options)).status === "ready";
    } catch (error) {
      // That it takes no runs is an answer here, and no error.
      if (error instanceof Problem && error.status === 503) return false;
      throw error;
    }
  }

  // The metrics, in Prometheus' text format.
  metrics(options: CallOptions = {}): Promise<string> {
    return this.transport.text({ method: "GET", path: "/metrics", signal: options.signal });
  }

  // The service's OpenAPI document.
  contract(options: CallOptions = {}): Promise<string> {
    return this.transport.text({ method: "GET", path: "/openapi.yaml", signal: options.signal });
  }

  private plain<Value>(path: string, options: CallOptions): Promise<Value> {
    return this.transport.json({ method: "GET", path, signal: options.signal });
  }
}

// The bytes of a path, each but slashes.
function escaped(bytes: Uint8Array): string {
  const hex = (byte: number) => `%${byte.toString(16).padStart(2, "0")}`;
  return Array.from(bytes, (byte) => (byte === 0x2f ? "/" : hex(byte))).join("");
}

function getCall(parts: string[], options: CallOptions = {}): Call {
  return { method: "GET", path: `/v1/${parts.map(quoted).join("/")}`, signal: options.signal };
}

function postCall(path: string, body: unknown, options: SubmitOptions): Call {
  const { idempotencyKey, signal } = options;
  return keyed({ method: "POST", path, body, signal }, idempotencyKey);
}

function runCall(program: Program, options: SubmitOptions): Call {
  return postCall("/v1/runs", requestOf(program), options);
}

function uniqueKey(): string {
  // Not there in Node 18 and on pages of plain http; it has to be unique, not secret.
  const { crypto } = globalThis as { crypto?: Partial<Crypto> };
  if (crypto?.randomUUID !== undefined) return crypto.randomUUID();
  return `${Date.now()}-${Math.random()}-${Math.random()}`;
}
