// What became of an execution and of a session, in words.
import { bytes, count, milliseconds } from "../format";
import type { Tone } from "../words";
import type { Execution, Session } from "./session";

export interface Said {
  tone: Tone;
  words: string;
}

const ENDED_BY: Record<string, string> = {
  memory_limit: "its memory was over",
  timeout: "its code could not be stopped in time",
  output_limit: "its code went on writing",
  disk_limit: "its files had no more room",
  cancelled: "somebody ended it",
};

// Why a session has ended, as the service says it, in a sentence of its own.
function because(reason: string | undefined): string {
  return reason === undefined || reason === "" ? "" : `: ${reason}`;
}

export function ofExecution(execution: Execution): Said {
  const { status, reason, limits, usage } = execution;
  const after = usage === undefined ? "" : ` after ${milliseconds(usage.wall_ms)}`;
  if (execution.state !== "done" || status === undefined) {
    return { tone: "bad", words: `Not executed${because(reason)}` };
  }
  switch (status) {
    case "ok":
      return { tone: "good", words: "Done" };
    case "rejected":
      return { tone: "bad", words: `Refused by the screening${because(reason)}` };
    case "error":
      return { tone: "bad", words: `Failed: ${execution.error?.name ?? "an error"}` };
    case "interrupted":
      return { tone: "stopped", words: `Interrupted${after}; the state stays` };
    case "timeout": {
      const limit =
        execution.clock === "cpu"
          ? `used more than ${milliseconds(limits?.cpu_ms ?? 0)} of processor time`
          : `ran longer than ${milliseconds(limits?.wall_ms ?? 0)}`;
      return { tone: "stopped", words: `Stopped: it ${limit}; the state stays` };
    }
    case "output_limit":
      return {
        tone: "stopped",
        words: `Stopped: it wrote more than ${bytes(limits?.output_bytes ?? 0)}; the state stays`,
      };
    case "exited":
      return {
        tone: "stopped",
        words: `The interpreter ended itself with exit code ${execution.exit_code ?? 0}; the next cell has a fresh one`,
      };
    case "died":
      return {
        tone: "bad",
        words: `The interpreter was ended by ${execution.signal ?? "a signal"}; the next cell has a fresh one`,
      };
    case "ended": {
      const why = ENDED_BY[execution.ended_by ?? ""];
      return {
        tone: "bad",
        words:
          why === undefined
            ? `The session ended${because(reason)}`
            : `The session ended: ${why} (${reason})`,
      };
    }
  }
}

// What it cost; nothing for what never ran.
export function costOf(execution: Execution): string[] {
  const { usage, denied_syscalls } = execution;
  if (usage === undefined) return [];
  const parts = [
    `${milliseconds(usage.wall_ms)} in all`,
    `${milliseconds(usage.cpu_ms)} of processor`,
    `${bytes(usage.peak_memory_bytes)} of memory`,
  ];
  if (denied_syscalls !== undefined && denied_syscalls.length > 0) {
    const names = denied_syscalls
      .slice(0, 6)
      .map((call) => `${call.name} ${count(call.count, "time")}`);
    const more = denied_syscalls.length > 6 || execution.denied_more === true ? " and more" : "";
    parts.push(`refused by the kernel: ${names.join(", ")}${more}`);
  }
  return parts;
}

export type Stand =
  | { kind: "none" }
  | { kind: "starting" }
  | { kind: "live"; session: Session; running: boolean }
  | { kind: "gone"; reason: string };

// The badge, and the sentence beside it.
export function ofStand(stand: Stand): { tone: Tone; badge: string; words: string } {
  switch (stand.kind) {
    case "none":
      return {
        tone: "neutral",
        badge: "No session",
        words: "One begins with the first cell that is run.",
      };
    case "starting":
      return { tone: "neutral", badge: "Starting", words: "A cell with an interpreter is made." };
    case "gone":
      return {
        tone: "bad",
        badge: "Ended",
        words: `The session has ended${because(stand.reason)}.`,
      };
    case "live": {
      const { version, limits, idle_ms, ttl_ms, state } = stand.session;
      const about = `Python ${version ?? ""}, ${bytes(limits.memory_bytes)} of memory`;
      if (stand.running) return { tone: "good", badge: "Running", words: about };
      return state === "paused"
        ? {
            tone: "stopped",
            badge: "Paused",
            words: `${about}. It runs no cell until it is resumed, and is kept; it ends ${milliseconds(ttl_ms)} after it began.`,
          }
        : {
            tone: "neutral",
            badge: "Idle",
            words: `${about}. Frozen until the next cell; it ends after ${milliseconds(idle_ms)} without one.`,
          };
    }
  }
}
