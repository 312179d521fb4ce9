// The one place that asks the service.
import { BadAnswer, ConnectionLost, Problem, Timeout } from "./errors.js";
import { pauseBefore, sleep } from "./retry.js";

export interface ClientOptions {
  // The secret of `belljar keys create`, where the service asks for one.
  key?: string;
  // Milliseconds that the service may be silent where an answer is due at once; 30,000.
  timeout?: number;
  // How often a request that failed for a passing reason (429, 502 to 504, a lost connection) is sent again, after the
  // pause that `Retry-After` asks for; 0. Programs and code are sent again only with an idempotency key, or where they
  // were refused with 429.
  retries?: number;
  // How often in a row a stream is taken up again without an event in between; 5.
  reconnects?: number;
  // In place of the global one.
  fetch?: typeof fetch;
}

export interface Call {
  method: "GET" | "POST" | "PUT" | "DELETE";
  path: string;
  query?: Record<string, string | number | undefined>;
  // Sent as JSON, but for bytes.
  body?: unknown;
  headers?: Record<string, string>;
  // The answer comes with the end of a run or an execution.
  waits?: boolean;
  // Whether a second time does no harm; a GET never does.
  repeatable?: boolean;
  signal?: AbortSignal | undefined;
}

// A part of a path.
export function quoted(name: string): string {
  // A part that is empty, or dots, would be another path.
  if (/^\.*$/.test(name)) throw new TypeError(`${JSON.stringify(name)} is no name`);
  return encodeURIComponent(name);
}

// The value, which fetch would refuse with an error like that of a lost connection.
export function headerValue(name: string, value: string): string {
  if (!/^[\x20-\x7e]+$/.test(value)) throw new TypeError(`${name} must be printable ASCII`);
  return value;
}

// The call under an idempotency key, where there is one: a second time then does no harm.
export function keyed(call: Call, idempotencyKey: string | undefined): Call {
  if (idempotencyKey === undefined) return call;
  const headers = { "Idempotency-Key": headerValue("idempotencyKey", idempotencyKey) };
  return { ...call, headers, repeatable: true };
}

// A connection that broke is a TypeError of fetch and of what reads its answer, without saying more.
export function connectionError(error: unknown): unknown {
  if (!(error instanceof TypeError)) return error;
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : "";
  return new ConnectionLost(`the connection was lost: ${error.message}${cause}`, { cause: error });
}

// The object that an answer is.
export async function jsonOf<Value>(response: Response): Promise<Value> {
  const text = await response.text();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new BadAnswer("the answer is no JSON");
  }
  if (typeof value !== "object" || value === null) throw new BadAnswer("the answer is no object");
  return value as Value;
}

// Has a controller abort when a signal does; what it answers with ends that.
export function follow(signal: AbortSignal | undefined, controller: AbortController): () => void {
  const stop = () => controller.abort(signal?.reason);
  if (signal?.aborted) stop();
  signal?.addEventListener("abort", stop, { once: true });
  return () => signal?.removeEventListener("abort", stop);
}

export class Transport {
  readonly reconnects: number;
  private readonly url: string;
  private readonly key: string | undefined;
  private readonly timeout: number;
  private readonly retries: number;
  private readonly fetch: typeof fetch;

  constructor(url: string, options: ClientOptions) {
    const parsed = new URL(url);
    if (!/^https?:$/.test(parsed.protocol) || parsed.username || parsed.search || parsed.hash) {
      throw new TypeError(`url must be like http://127.0.0.1:8000, not ${url}`);
    }
    this.url = parsed.href.replace(/\/+$/, "");
    this.key = options.key === undefined ? undefined : headerValue("key", options.key);
    this.timeout = options.timeout ?? 30_000;
    this.retries = options.retries ?? 0;
    this.reconnects = options.reconnects ?? 5;
    // A browser's fetch wants to be called as the window's.
    this.fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
  }

  json<Value>(call: Call): Promise<Value> {
    return this.send(call, (response) => jsonOf<Value>(response));
  }

  text(call: Call): Promise<string> {
    return this.send(call, (response) => response.text());
  }

  async bytes(call: Call): Promise<Uint8Array> {
    return new Uint8Array(await this.send(call, (response) => response.arrayBuffer()));
  }

  private send<Value>(call: Call, read: (response: Response) => Promise<Value>): Promise<Value> {
    return this.repeat(call, () => this.once(call, read));
  }

  // Does it, and again where that may help.
  async repeat<Value>(call: Call, once: () => Promise<Value>): Promise<Value> {
    const repeatable = call.method === "GET" || call.repeatable === true;
    for (let attempt = 1; ; ++attempt) {
      try {
        return await once();
      } catch (error) {
        const again = attempt <= this.retries;
        const pause = again ? pauseBefore(attempt, error, repeatable) : undefined;
        if (pause === undefined) throw error;
        await sleep(pause, call.signal);
      }
    }
  }

  private async once<Value>(
    call: Call,
    read: (response: Response) => Promise<Value>,
  ): Promise<Value> {
    const stopper = new AbortController();
    const release = follow(call.signal, stopper);
    const late = new Timeout(`nothing came for ${this.timeout} ms`);
    const timer = call.waits ? undefined : setTimeout(() => stopper.abort(late), this.timeout);
    try {
      return await read(await this.open(call, stopper.signal));
    } catch (error) {
      if (stopper.signal.aborted) throw stopper.signal.reason;
      throw connectionError(error);
    } finally {
      clearTimeout(timer);
      release();
    }
  }

  // The answer as it begins, if it is no refusal. The signal ends it, for as long as it is read.
  async open(call: Call, signal: AbortSignal): Promise<Response> {
    const response = await this.fetch(this.target(call), this.init(call, signal));
    if (!response.ok) throw await Problem.of(response);
    return response;
  }

  private target(call: Call): string {
    const asked = Object.entries(call.query ?? {}).filter(([, value]) => value !== undefined);
    const query = new URLSearchParams(asked.map(([name, value]) => [name, String(value)]));
    return `${this.url}${call.path}${asked.length > 0 ? `?${query}` : ""}`;
  }

  private init(call: Call, signal: AbortSignal): RequestInit {
    const headers: Record<string, string> = { ...call.headers };
    if (this.key !== undefined) headers.Authorization = `Bearer ${this.key}`;
    if (call.body === undefined) return { method: call.method, headers, signal };
    const isBytes = call.body instanceof Uint8Array;
    headers["Content-Type"] = isBytes ? "application/octet-stream" : "application/json";
    const body = isBytes ? (call.body as Uint8Array<ArrayBuffer>) : JSON.stringify(call.body);
    return { method: call.method, headers, signal, body };
  }
}
