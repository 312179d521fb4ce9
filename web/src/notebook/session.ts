// Sessions over HTTP, and one execution in them from the request to its outcome.
import { ask, get, type Limits, Problem, post, type Stream } from "../api";
import { contentOf, isPassing, type OutputData, sleep } from "../follow";
import { EventParser, type ServerEvent } from "../sse";
import type { Bundle, JsonObject } from "./model";

export interface Session {
  id: string;
  state: "starting" | "idle" | "running" | "paused" | "ended";
  reason?: string;
  language: string;
  version?: string;
  policy: string;
  created_at: string;
  ttl_ms: number;
  idle_ms: number;
  executions: number;
  limits: Limits;
}

export interface Result {
  main: boolean;
  data: Bundle;
  metadata?: JsonObject;
  omitted?: string[];
}

export type ExecutionStatus =
  | "ok"
  | "error"
  | "interrupted"
  | "timeout"
  | "output_limit"
  | "exited"
  | "died"
  | "ended"
  | "rejected";

// What an execution was in the end. One that is not done has a reason and nothing after it.
export interface Execution {
  id: string;
  session: string;
  state: "done" | "cancelled" | "lost";
  status?: ExecutionStatus;
  reason?: string;
  clock?: "wall" | "cpu";
  exit_code?: number;
  signal?: string;
  ended_by?: string;
  count?: number;
  stdout?: Stream;
  stderr?: Stream;
  results?: Result[];
  results_truncated?: boolean;
  error?: { name: string; value: string; traceback: string } | null;
  files?: { path: string; bytes: number; mime: string }[];
  usage?: { wall_ms: number; cpu_ms: number; peak_memory_bytes: number };
  denied_syscalls?: { name: string; count: number }[];
  denied_more?: boolean;
  limits?: Limits;
}

const pathOf = (id: string) => `/v1/sessions/${encodeURIComponent(id)}`;

export const look = (id: string) => get<Session>(pathOf(id));
export const interrupt = (id: string) => post(`${pathOf(id)}/interrupt`);

export async function begin(): Promise<Session> {
  return (await post("/v1/sessions", { language: "python" })).json() as Promise<Session>;
}

export async function restart(id: string): Promise<Session> {
  const answer = await post(`${pathOf(id)}/contexts/default/restart`);
  return answer.json() as Promise<Session>;
}

// Between executions nothing of a session runs in any case; a paused one also takes none, and is kept.
export async function pause(id: string): Promise<Session> {
  return (await post(`${pathOf(id)}/pause`)).json() as Promise<Session>;
}

export async function resume(id: string): Promise<Session> {
  return (await post(`${pathOf(id)}/resume`)).json() as Promise<Session>;
}

export async function quit(id: string): Promise<Session> {
  return (await ask(pathOf(id), { method: "DELETE" })).json() as Promise<Session>;
}

export interface ExecutionListener {
  onId(id: string): void;
  onState(state: "queued" | "running"): void;
  onOutput(source: "stdout" | "stderr", text: string): void;
  onResult(result: Result): void;
  onConnection(here: boolean): void;
}

const LONGEST_PAUSE_MS = 5000;

// Follows an execution over server-sent events: a new one, or one that is there. A connection that breaks
// is taken up after the last event that came. A request that may not have arrived is not sent again: code
// that ran twice is another state.
export class Following {
  private last = 0;
  private left = false;
  private outcome: Execution | null = null;
  private readonly stopper = new AbortController();
  private readonly decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };

  constructor(
    private readonly session: string,
    private readonly listener: ExecutionListener,
    private id: string | null = null,
  ) {}

  // The execution goes on, nobody listens.
  leave(): void {
    this.left = true;
    this.stopper.abort();
  }

  // Its end; nothing when it was left. Throws what the service refuses.
  async follow(code: string | null): Promise<Execution | null> {
    let pause = 250;
    while (!this.left) {
      const before = this.last;
      try {
        await this.read(await this.open(code));
      } catch (error) {
        if (this.left) return null;
        const isRefusal = error instanceof Problem && !isPassing(error);
        if (isRefusal || this.id === null) throw error;
      }
      if (this.outcome !== null || this.left) break;
      if (this.last > before) pause = 250;
      this.listener.onConnection(false);
      await sleep(pause);
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    }
    return this.outcome;
  }

  private open(code: string | null): Promise<Response> {
    const { signal } = this.stopper;
    const path = `${pathOf(this.session)}/executions`;
    if (this.id !== null) {
      const headers = { "Last-Event-ID": String(this.last) };
      return ask(`${path}/${encodeURIComponent(this.id)}/events`, { headers, signal });
    }
    return ask(`${path}?stream=1`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ code }),
      signal,
    });
  }

  private async read(response: Response): Promise<void> {
    const id = response.headers.get("X-Execution-Id");
    if (id !== null && this.id === null) {
      this.id = id;
      this.listener.onId(id);
    }
    this.listener.onConnection(true);
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    const parser = new EventParser();
    while (reader !== undefined && !this.left && this.outcome === null) {
      const { value, done } = await reader.read();
      if (done) return;
      for (const event of parser.push(value)) this.take(event);
    }
  }

  private take(event: ServerEvent): void {
    const known = event.id <= this.last && event.name !== "outcome";
    if (this.left || known) return;
    this.last = event.id;
    const data = JSON.parse(event.data);
    if (event.name === "status") this.listener.onState(data.state);
    if (event.name === "stdout" || event.name === "stderr") {
      const content = contentOf(data as OutputData);
      const decoder = this.decoders[event.name];
      const text =
        typeof content === "string" ? content : decoder.decode(content, { stream: true });
      this.listener.onOutput(event.name, text);
    }
    if (event.name === "result") this.listener.onResult(data as Result);
    if (event.name === "outcome") this.outcome = data as Execution;
  }
}
