// Server-sent events out of pieces of text, cut anywhere.

export interface ServerEvent {
  id: number;
  name: string;
  data: string;
}

export class EventParser {
  private rest = "";
  private id = 0;
  private name = "";
  private data: string[] = [];

  // The events that are whole with this piece.
  push(piece: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    const lines = (this.rest + piece).split("\n");
    this.rest = lines.pop() ?? "";
    for (const each of lines) {
      const line = each.endsWith("\r") ? each.slice(0, -1) : each;
      if (line === "") {
        if (this.data.length > 0) {
          events.push({ id: this.id, name: this.name, data: this.data.join("\n") });
        }
        this.name = "";
        this.data = [];
        continue;
      }
      const colon = line.indexOf(":");
      if (colon === 0) continue; // a comment, to keep the connection
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "id") this.id = Number(value);
      if (field === "event") this.name = value;
      if (field === "data") this.data.push(value);
    }
    return events;
  }
}
