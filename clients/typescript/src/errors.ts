// What goes wrong between a client and the service. A program that fails is none of these: see Run.status.

export class BelljarError extends Error {
  override name = "BelljarError";
}

// The service could not be reached, or went away before its answer was whole.
export class ConnectionLost extends BelljarError {
  override name = "ConnectionLost";
}

// The service said nothing for longer than it was given. What was asked for may still happen.
export class Timeout extends BelljarError {
  override name = "Timeout";
}

// What answered does not speak as the service does; mostly something else is at that address.
export class BadAnswer extends BelljarError {
  override name = "BadAnswer";
}

// The service refused: RFC 9457, with what the service adds to it.
export class Problem extends BelljarError {
  override name = "Problem";
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly type: string;
  // What of the request is to blame, such as `limits.memory` or `files[0].path`.
  readonly field: string | undefined;
  // Seconds until it may be tried again, where the service says so (429, 503).
  readonly retryAfter: number | undefined;
  // What the service's log knows the request by.
  readonly requestId: string | undefined;
  // The whole object, unknown members too.
  readonly body: Readonly<Record<string, unknown>>;

  constructor(status: number, body: Readonly<Record<string, unknown>>, headers: Headers) {
    const text = (name: string) => (typeof body[name] === "string" ? body[name] : undefined);
    const title = text("title") ?? `HTTP status ${status}`;
    const detail = text("detail") ?? `the service answered ${status}`;
    super(`${status} ${title}: ${detail}`);
    this.status = status;
    this.title = title;
    this.detail = detail;
    this.type = text("type") ?? "about:blank";
    this.field = text("field");
    this.body = body;
    this.requestId = headers.get("X-Request-Id") ?? undefined;
    const wait = headers.get("Retry-After") ?? "";
    this.retryAfter = /^\d+$/.test(wait) ? Number(wait) : undefined;
  }

  // The limit's name where `field` is a limit: `memory` for `limits.memory`.
  get limit(): string | undefined {
    return /(?:^|\.)limits\.(.+)$/.exec(this.field ?? "")?.[1];
  }

  // Of an answer; one that is no problem object, as a proxy gives, is told by its status.
  static async of(response: Response): Promise<Problem> {
    let body: unknown;
    try {
      body = await response.json();
    } catch {
      body = undefined;
    }
    const isObject = typeof body === "object" && body !== null && !Array.isArray(body);
    const members = isObject ? (body as Record<string, unknown>) : {};
    return new Problem(response.status, members, response.headers);
  }
}
