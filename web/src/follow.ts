// A run as it goes on, whichever way the service tells of it.
import { ask, bytesOf, cancel, key, Problem, post, type Run, type RunRequest, run } from "./api";
import { EventParser, type ServerEvent } from "./sse";

export type Source = "stdout" | "stderr";

export interface Listener {
  onId(id: string): void;
  onState(state: "queued" | "running", stage: "compile" | "run" | null): void;
  // Waited for: a page that cannot keep up makes the service wait, not the browser's memory grow.
  onOutput(source: Source, text: string | Uint8Array): Promise<void> | void;
  onConnection(here: boolean): void;
  onEnd(run: Run): void;
  onRefusal(error: Error): void;
}

export interface Following {
  stop(): void; // ends the run
  leave(): void; // the run goes on, nobody listens
}

export interface OutputData {
  text?: string;
  base64?: string;
}
export const contentOf = (data: OutputData) =>
  data.base64 === undefined ? (data.text ?? "") : bytesOf(data.base64);

const LONGEST_PAUSE_MS = 5000;

// Follows a run over server-sent events: a new one, or one that is there. A connection that breaks is
// taken up after the last event that came; a request that may not have arrived is sent again under the
// same key, so that it is one run.
export class StreamedRun implements Following {
  private last = 0;
  private id: string | null;
  private over = false;
  private readonly stopper = new AbortController();

  constructor(
    private readonly request: RunRequest | null,
    id: string | null,
    private readonly listener: Listener,
  ) {
    this.id = id;
    void this.follow();
  }

  stop(): void {
    if (this.id !== null && !this.over) cancel(this.id).catch(() => undefined);
  }

  leave(): void {
    this.over = true;
    this.stopper.abort();
  }

  private async follow(): Promise<void> {
    const once = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
    let pause = 250;
    while (!this.over) {
      const before = this.last;
      try {
        await this.read(await this.open(once));
      } catch (error) {
        if (this.over) return;
        if (error instanceof Problem && !isPassing(error)) {
          this.over = true;
          return this.listener.onRefusal(error);
        }
      }
      if (this.over) return;
      if (this.last > before) pause = 250;
      this.listener.onConnection(false);
      await sleep(pause);
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    }
  }

  private open(once: string): Promise<Response> {
    const { signal } = this.stopper;
    if (this.id !== null) {
      const path = `/v1/runs/${encodeURIComponent(this.id)}/events`;
      return ask(path, { headers: { "Last-Event-ID": String(this.last) }, signal });
    }
    return ask("/v1/runs?stream=1", {
      method: "POST",
      headers: { "Content-Type": "application/json", "Idempotency-Key": once },
      body: JSON.stringify(this.request),
      signal,
    });
  }

  private async read(response: Response): Promise<void> {
    const id = response.headers.get("X-Run-Id");
    if (id !== null && this.id === null) {
      this.id = id;
      this.listener.onId(id);
    }
    if (!response.headers.get("Content-Type")?.startsWith("text/event-stream")) {
      // A repeated request whose run has ended already is answered by its id alone.
      this.id ??= ((await response.json()) as { id: string }).id;
      this.listener.onId(this.id);
      return;
    }
    this.listener.onConnection(true);
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    const parser = new EventParser();
    while (reader !== undefined && !this.over) {
      const { value, done } = await reader.read();
      if (done) return;
      for (const event of parser.push(value)) await this.take(event);
    }
  }

  private async take(event: ServerEvent): Promise<void> {
    // Of a run whose events are forgotten there is the outcome alone, as the first of them.
    const known = event.id <= this.last && event.name !== "outcome";
    if (this.over || known) return;
    this.last = event.id;
    const data = JSON.parse(event.data);
    if (event.name === "status") this.listener.onState(data.state, data.stage ?? null);
    if (event.name === "stdout" || event.name === "stderr") {
      await this.listener.onOutput(event.name, contentOf(data));
    }
    if (event.name === "outcome") {
      this.over = true;
      this.listener.onEnd(data as Run);
    }
  }
}

// What may be otherwise in a moment: the service starts anew, or is full.
export function isPassing(problem: Problem): boolean {
  return problem.status === 502 || problem.status === 503 || problem.status === 504;
}

export const sleep = (ms: number) =>
  new Promise<void>((done) => {
    const timer = setTimeout(finish, ms);
    function finish() {
      clearTimeout(timer);
      window.removeEventListener("online", finish);
      done();
    }
    window.addEventListener("online", finish);
  });

// A run with a terminal, over a WebSocket. It ends with its connection; what became of it is asked for
// when the service can be reached again.
export class InteractiveRun implements Following {
  private readonly socket: WebSocket;
  private id: string | null = null;
  private over = false;
  private queue: Promise<void> = Promise.resolve();

  constructor(
    request: RunRequest,
    rows: number,
    columns: number,
    private readonly listener: Listener,
  ) {
    const url = new URL("/v1/runs/interactive", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const protocols = key() === "" ? [] : ["belljar", `bearer.${key()}`];
    this.socket = new WebSocket(url, protocols);
    this.socket.onopen = () => {
      this.listener.onConnection(true);
      this.send({ type: "start", run: request, tty: true, rows, columns });
    };
    this.socket.onmessage = (event) => {
      const message = JSON.parse(String(event.data));
      this.queue = this.queue.then(() => this.take(message));
    };
    this.socket.onclose = () => {
      this.queue = this.queue.then(() => this.closed());
    };
  }

  type(text: string): void {
    this.send({ type: "stdin", text });
  }
  resize(rows: number, columns: number): void {
    this.send({ type: "resize", rows, columns });
  }
  stop(): void {
    this.send({ type: "cancel" });
  }
  leave(): void {
    this.over = true;
    this.socket.close();
  }

  private send(message: unknown): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  private async take(message: {
    type: string;
    state?: "queued" | "running";
    stage?: "compile" | "run";
    id?: string;
    detail?: string;
    run?: Run;
    text?: string;
    base64?: string;
  }): Promise<void> {
    if (this.over) return;
    if (message.type === "status" && message.state !== undefined) {
      if (message.id !== undefined) {
        this.id = message.id;
        this.listener.onId(message.id);
      }
      this.listener.onState(message.state, message.stage ?? null);
    }
    if (message.type === "stdout" || message.type === "stderr") {
      await this.listener.onOutput(message.type, contentOf(message));
    }
    if (message.type === "error" && this.id === null) {
      this.over = true;
      this.listener.onRefusal(new Error(message.detail ?? "the run was refused"));
    }
    if (message.type === "outcome" && message.run !== undefined) {
      this.over = true;
      this.listener.onEnd(message.run);
    }
  }

  private async closed(): Promise<void> {
    let pause = 250;
    while (!this.over) {
      if (this.id === null) {
        this.over = true;
        try {
          // The browser does not tell why a WebSocket was refused; a request does.
          await post("/v1/runs", {});
        } catch (error) {
          const told = error instanceof Problem && error.status !== 400;
          this.listener.onRefusal(told ? error : new Error("the service cannot be reached"));
        }
        return;
      }
      this.listener.onConnection(false);
      await sleep(pause);
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
      try {
        const found = await run(this.id);
        if (found.state === "queued" || found.state === "running") continue;
        this.over = true;
        this.listener.onConnection(true);
        this.listener.onEnd(found);
      } catch (error) {
        if (!(error instanceof Problem) || isPassing(error)) continue;
        this.over = true;
        this.listener.onRefusal(error);
      }
    }
  }
}
