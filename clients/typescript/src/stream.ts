// A run's events, over as many connections as that takes.
import { BadAnswer, ConnectionLost, Timeout } from "./errors.js";
import { isPassing, pauseFor, sleep } from "./retry.js";
import { EventParser } from "./sse.js";
import { type Call, connectionError, follow, jsonOf, quoted, type Transport } from "./transport.js";
import type { Run, RunEvent } from "./types.js";

// Two beats of the service's, which it sends every 15 seconds where there is nothing else.
const SILENCE_MS = 35_000;

// To be iterated over with `for await`; the request is sent then, and the last event is the outcome. A connection that
// is lost is made again, and goes on after the last event that came. Leaving does not end the run.
//
// The service sends each event once and says nothing of what came before `Last-Event-ID`. Where that is beyond the end,
// as the numbers before were those of an attempt that the service did not survive, it says nothing at all: then it is
// asked for everything. Node also takes a connection that was reset for the end of an answer. Where the service has
// forgotten a run's events, some time after the end, it sends the outcome alone, as event 1.
export class RunStream implements AsyncIterable<RunEvent> {
  // The run's, as soon as it is known: with the first event.
  id: string | undefined;
  // The number of the last event that came.
  lastEventId: number;
  // The run as it ended, when the outcome has come.
  run: Run | undefined;
  private failures = 0; // since the last event
  private opened = false;
  private anew = false; // whether everything is asked for

  constructor(
    private readonly transport: Transport,
    private readonly first: Call | undefined,
    id: string | undefined,
    after: number,
    private readonly signal: AbortSignal | undefined,
  ) {
    this.id = id;
    this.lastEventId = after;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<RunEvent, void, void> {
    while (this.run === undefined) {
      const connection = new AbortController();
      const release = follow(this.signal, connection);
      let came = false;
      try {
        const response = await this.open(connection);
        if (response !== undefined) {
          for await (const event of read(response, connection)) {
            came = true;
            if (this.took(event)) yield event;
            if (event.type === "outcome") return;
          }
          this.anew ||= !came;
          throw new ConnectionLost("the stream ended before the run");
        }
      } catch (error) {
        if (this.signal?.aborted) throw this.signal.reason;
        await sleep(this.failed(connectionError(error)), this.signal);
      } finally {
        release();
        connection.abort();
      }
    }
  }

  // Whether the event is new.
  private took(event: RunEvent): boolean {
    if (event.id <= this.lastEventId && event.type !== "outcome") return false;
    this.lastEventId = event.id;
    this.failures = 0;
    if (event.type === "status" && "id" in event.data) this.id ??= event.data.id;
    if (event.type === "outcome") this.run = event.data;
    this.anew = false;
    return true;
  }

  // Milliseconds until the next try; throws what went wrong where it was tried often enough.
  private failed(error: unknown): number {
    const mayPass = isPassing(error) || error instanceof Timeout;
    // What fails before anything was there is the first request's own failure.
    if (!this.opened || !mayPass || ++this.failures > this.transport.reconnects) throw error;
    const pause = pauseFor(this.failures, error);
    if (pause === undefined) throw error;
    return pause;
  }

  // The answer that the events come through; undefined where it was the run's id alone.
  private async open(connection: AbortController): Promise<Response | undefined> {
    const call = this.call();
    const silence = new Timeout(`nothing came for ${SILENCE_MS} ms`);
    const once = async () => {
      const timer = setTimeout(() => connection.abort(silence), SILENCE_MS);
      try {
        return await this.transport.open(call, connection.signal);
      } catch (error) {
        throw connection.signal.aborted ? connection.signal.reason : connectionError(error);
      } finally {
        clearTimeout(timer);
      }
    };
    const response = this.opened ? await once() : await this.transport.repeat(call, once);
    this.opened = true;
    if (response.headers.get("Content-Type")?.startsWith("text/event-stream")) {
      this.id ??= response.headers.get("X-Run-Id") ?? undefined;
      return response;
    }
    // A repeated request whose run has ended already is answered by its id.
    if (this.id === undefined) this.id = (await jsonOf<{ id?: string }>(response)).id;
    else throw new BadAnswer("the answer has no events");
    if (this.id === undefined) throw new BadAnswer("the answer is neither events nor a run");
    return undefined;
  }

  private call(): Call {
    if (this.id === undefined && this.first !== undefined) return this.first;
    const path = `/v1/runs/${quoted(this.id ?? "")}/events`;
    const after = this.anew ? 0 : this.lastEventId;
    const headers: Record<string, string> = after > 0 ? { "Last-Event-ID": String(after) } : {};
    return { method: "GET", path, headers, signal: this.signal };
  }
}

async function* read(response: Response, connection: AbortController): AsyncGenerator<RunEvent> {
  if (response.body === null) throw new BadAnswer("the answer has no body");
  const reader = response.body.getReader();
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const parser = new EventParser();
  const silence = new Timeout(`nothing came for ${SILENCE_MS} ms`);
  for (;;) {
    const timer = setTimeout(() => connection.abort(silence), SILENCE_MS);
    try {
      const { value, done } = await reader.read();
      if (done) return;
      yield* parser.push(decoder.decode(value, { stream: true }));
    } catch (error) {
      throw connection.signal.aborted ? connection.signal.reason : error;
    } finally {
      clearTimeout(timer);
    }
  }
}
