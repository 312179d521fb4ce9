// When a request is sent again, and after how long.
import { ConnectionLost, Problem } from "./errors.js";

const LONGEST_PAUSE_S = 60; // what is to be tried again only later than that is an error now
const FIRST_PAUSE_S = 0.25;
const LONGEST_BACKOFF_S = 5;

// What may be otherwise in a moment: the service starts anew, or cannot be reached.
const PASSING = [502, 503, 504];

export function isPassing(error: unknown): boolean {
  if (error instanceof Problem) return error.status === 429 || PASSING.includes(error.status);
  return error instanceof ConnectionLost;
}

// Milliseconds until the next try after the n-th failure; undefined where that is too long.
export function pauseFor(attempt: number, error: unknown): number | undefined {
  const wanted = error instanceof Problem ? error.retryAfter : undefined;
  if (wanted !== undefined) return wanted <= LONGEST_PAUSE_S ? wanted * 1000 : undefined;
  // Twice as long each time, and not all at once.
  const pause = Math.min(FIRST_PAUSE_S * 2 ** (attempt - 1), LONGEST_BACKOFF_S);
  return pause * (0.75 + Math.random() / 2) * 1000;
}

// The same for a request. 429 was refused before anything was done; what became of others may not be known, and
// they are sent again only where a second time does no harm.
export function pauseBefore(
  attempt: number,
  error: unknown,
  repeatable: boolean,
): number | undefined {
  const harmless = repeatable || (error instanceof Problem && error.status === 429);
  return harmless && isPassing(error) ? pauseFor(attempt, error) : undefined;
}

export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((done, fail) => {
    const stop = () => {
      clearTimeout(timer);
      fail(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      done();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}
