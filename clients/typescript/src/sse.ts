// Server-sent events (WHATWG HTML, section 9.2), out of pieces of text that are cut anywhere.
import { BadAnswer } from "./errors.js";
import type { RunEvent } from "./types.js";

// Gives the events that are whole. What a broken connection left of one is dropped with the parser.
export class EventParser {
  private pending: string[] = []; // the line that is not whole yet; an outcome's may be many pieces long
  private fields = new Map<string, string>();

  push(piece: string): RunEvent[] {
    this.pending.push(piece);
    if (!piece.includes("\n")) return [];
    const lines = this.pending.join("").split("\n");
    this.pending = [lines.pop() ?? ""];
    const events: RunEvent[] = [];
    for (const each of lines) {
      const line = each.endsWith("\r") ? each.slice(0, -1) : each;
      if (line === "") {
        if (this.fields.size > 0) events.push(this.take());
        continue;
      }
      const colon = line.indexOf(":");
      if (colon === 0) continue; // a comment, which only keeps the connection
      const field = colon < 0 ? line : line.slice(0, colon);
      this.fields.set(field, colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, ""));
    }
    return events;
  }

  private take(): RunEvent {
    const { fields } = this;
    this.fields = new Map();
    const id = Number(fields.get("id"));
    const type = fields.get("event");
    try {
      const data: unknown = JSON.parse(fields.get("data") ?? "");
      if (Number.isInteger(id) && type !== undefined) return { id, type, data } as RunEvent;
    } catch {
      // Told below.
    }
    throw new BadAnswer(`this is no event of a run: ${JSON.stringify([...fields]).slice(0, 200)}`);
  }
}
