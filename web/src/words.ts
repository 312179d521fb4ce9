// What happened, in a sentence; everything else on the page comes after it.
import type { Run, Stage } from "./api";
import { bytes, count, milliseconds } from "./format";

export type Tone = "good" | "bad" | "stopped" | "neutral";
export interface Ending {
  tone: Tone;
  sentence: string;
  notes: string[];
}

const SIGNALS: Record<string, string> = {
  SIGSEGV: "it touched memory that is not its own",
  SIGBUS: "it touched memory that is not there",
  SIGFPE: "it divided by zero or the like",
  SIGILL: "it came to an instruction that does not exist",
  SIGABRT: "it gave up by itself (abort)",
  SIGKILL: "it was killed",
  SIGTERM: "it was asked to end",
  SIGINT: "it was interrupted",
  SIGPIPE: "it wrote where nobody reads",
  SIGXFSZ: "it wrote a file larger than allowed",
  SIGSYS: "it asked the kernel for something that is not allowed",
};

function ofStage(stage: Stage): { tone: Tone; sentence: string } {
  const after = `after ${milliseconds(stage.usage.wall_ms)}`;
  const what = stage.stage === "compile" ? "the compiler" : "it";
  switch (stage.status) {
    case "ok":
      return { tone: "good", sentence: `Ended ${after}, exit code ${stage.exit_code ?? 0}` };
    case "runtime_error":
      return { tone: "bad", sentence: `Failed ${after}, exit code ${stage.exit_code ?? 1}` };
    case "compile_error":
      return { tone: "bad", sentence: `Did not compile (${milliseconds(stage.usage.wall_ms)})` };
    case "signalled": {
      const signal = stage.signal ?? "a signal";
      const why = SIGNALS[signal];
      return { tone: "bad", sentence: `Crashed ${after}: ${why ? `${why} (${signal})` : signal}` };
    }
    case "timeout":
      return stage.clock === "cpu"
        ? {
            tone: "stopped",
            sentence: `Stopped: ${what} used more than ${milliseconds(stage.limits.cpu_ms)} of processor time`,
          }
        : {
            tone: "stopped",
            sentence: `Stopped: ${what} ran longer than ${milliseconds(stage.limits.wall_ms)}`,
          };
    case "memory_limit":
      return {
        tone: "stopped",
        sentence: `Stopped: ${what} used more than ${bytes(stage.limits.memory_bytes)} of memory`,
      };
    case "output_limit":
      return {
        tone: "stopped",
        sentence: `Stopped: ${what} wrote more than ${bytes(stage.limits.output_bytes)} of output`,
      };
    case "disk_limit":
      return {
        tone: "stopped",
        sentence: `Stopped: ${what} filled the ${bytes(stage.limits.box_bytes)} that its files may take`,
      };
    case "cancelled":
      return { tone: "stopped", sentence: `Cancelled ${after}` };
    case "setup_error":
      return { tone: "bad", sentence: `Could not be started: ${stage.reason}` };
    case "rejected":
      return { tone: "stopped", sentence: `Not run: ${stage.reason}` };
  }
}

export function ending(run: Run): Ending {
  if (run.state === "lost") return { tone: "bad", sentence: `Lost: ${run.reason}`, notes: [] };
  const stage = run.outcome?.stages.at(-1);
  if (run.outcome === null || stage === undefined) {
    if (run.state === "cancelled" || run.status === "cancelled") {
      return { tone: "stopped", sentence: "Cancelled before it ran", notes: [] };
    }
    const refused = run.outcome?.screening?.refused === true;
    return {
      tone: "stopped",
      sentence: `Not run: ${refused ? "the screening refused it, " : ""}${run.reason}`,
      notes: [],
    };
  }
  const { tone, sentence } = ofStage(stage);
  const notes: string[] = [];
  const { events, denied_syscalls, limits } = stage;
  if (events.process_limit_hits > 0) {
    notes.push(
      `It wanted more than ${count(limits.processes, "process", "processes")} at once and was refused ` +
        `${count(events.process_limit_hits, "time")}: what a fork bomb does.`,
    );
  }
  if (events.leftover_processes > 0) {
    notes.push(
      `${count(events.leftover_processes, "process", "processes")} that it left behind ` +
        `${events.leftover_processes === 1 ? "was" : "were"} ended with it.`,
    );
  }
  if (events.disk_full) notes.push("Its files had no more room.");
  if (denied_syscalls.length > 0) {
    const names = denied_syscalls.slice(0, 4).map((call) => call.name);
    notes.push(`The kernel refused what it asked for: ${names.join(", ")}.`);
  }
  if (run.attempts > 1) notes.push("The service came back from a crash and ran it again.");
  if (stage.status !== "output_limit" && (stage.stdout.truncated || stage.stderr.truncated)) {
    notes.push("Only the beginning of its output was kept.");
  }
  if (run.outcome.artifacts_truncated) notes.push("Some of its files were too large to keep.");
  return { tone, sentence, notes };
}

export function verdict(run: Run): { tone: Tone; word: string } {
  if (run.state === "queued") return { tone: "neutral", word: "waits" };
  if (run.state === "running") return { tone: "neutral", word: "runs" };
  switch (run.outcome?.verdict) {
    case "pass":
      return { tone: "good", word: "right" };
    case "wrong_answer":
      return { tone: "bad", word: "wrong" };
    case undefined:
      return run.status === "ok"
        ? { tone: "neutral", word: "ended" }
        : { tone: "stopped", word: statusWord(run) };
    default:
      return { tone: "stopped", word: statusWord(run) };
  }
}

const STATUS_WORDS: Record<string, string> = {
  ok: "ended",
  runtime_error: "failed",
  signalled: "crashed",
  timeout: "too slow",
  memory_limit: "too much memory",
  output_limit: "too much output",
  disk_limit: "too many files",
  compile_error: "did not compile",
  rejected: "not run",
  setup_error: "not started",
  cancelled: "cancelled",
};

export function statusWord(run: Run): string {
  if (run.state === "lost") return "lost";
  if (run.status === null) return run.state === "queued" ? "waits" : "runs";
  return STATUS_WORDS[run.status] ?? run.status;
}

export function statusTone(run: Run): Tone {
  if (run.status === null) return "neutral";
  if (run.status === "ok") return "good";
  return ["runtime_error", "signalled", "compile_error", "setup_error"].includes(run.status)
    ? "bad"
    : "stopped";
}
