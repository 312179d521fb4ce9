import { describe, expect, it } from "vitest";
import type { Run, Stage } from "../../src/api";
import { ago, bytes, count, milliseconds } from "../../src/format";
import { ending, statusWord, verdict } from "../../src/words";

const MiB = 1024 * 1024;
const stage = (more: Partial<Stage> = {}): Stage => ({
  stage: "run",
  status: "ok",
  reason: "exit code 0",
  exit_code: 0,
  stdout: { text: "x", total_bytes: 1, truncated: false },
  stderr: { text: "", total_bytes: 0, truncated: false },
  usage: {
    wall_ms: 12.3,
    cpu_ms: 9,
    user_ms: 8,
    system_ms: 1,
    peak_memory_bytes: MiB,
    peak_processes: 1,
    oom_kills: 0,
  },
  events: { process_limit_hits: 0, leftover_processes: 0, disk_full: false },
  denied_syscalls: [],
  denied_more: false,
  phases: { queue_ms: 1, build_ms: 2, run_ms: 12, collect_ms: 0, teardown_ms: 1 },
  limits: {
    wall_ms: 10_000,
    cpu_ms: 10_000,
    memory_bytes: 128 * MiB,
    processes: 64,
    output_bytes: MiB,
    box_bytes: 64 * MiB,
    tmp_bytes: 64 * MiB,
    inodes: 1,
    open_files: 1,
    file_size_bytes: 1,
    stack_bytes: 1,
    cpus: 1,
    artifacts_bytes: 1,
  },
  walls: [],
  missing_walls: [],
  ...more,
});
const run = (more: Partial<Stage> | null, rest: Partial<Run> = {}): Run => ({
  id: "run_1",
  state: "done",
  language: "python",
  policy: "default",
  created_at: "2026-01-01T00:00:00.000Z",
  started_at: null,
  finished_at: null,
  attempts: 1,
  batch: null,
  status: more?.status ?? "ok",
  reason: "why",
  outcome:
    more === null
      ? null
      : {
          status: more.status ?? "ok",
          reason: "why",
          language: "python",
          toolchain: "Python 3",
          policy: "default",
          stages: [stage(more)],
          artifacts: [],
          artifacts_truncated: false,
        },
  ...rest,
});

describe("how a run ended", () => {
  it.each([
    [{}, "good", "Ended after 12 ms, exit code 0"],
    [{ status: "runtime_error", exit_code: 3 }, "bad", "Failed after 12 ms, exit code 3"],
    [{ status: "memory_limit" }, "stopped", "Stopped: it used more than 128 MiB of memory"],
    [{ status: "timeout", clock: "wall" }, "stopped", "Stopped: it ran longer than 10 s"],
    [
      { status: "timeout", clock: "cpu" },
      "stopped",
      "Stopped: it used more than 10 s of processor time",
    ],
    [{ status: "output_limit" }, "stopped", "Stopped: it wrote more than 1 MiB of output"],
    [{ status: "disk_limit" }, "stopped", "Stopped: it filled the 64 MiB that its files may take"],
    [{ status: "cancelled" }, "stopped", "Cancelled after 12 ms"],
    [{ status: "compile_error", stage: "compile" }, "bad", "Did not compile (12 ms)"],
    [
      { status: "timeout", stage: "compile" },
      "stopped",
      "Stopped: the compiler ran longer than 10 s",
    ],
    [
      { status: "signalled", signal: "SIGSEGV" },
      "bad",
      "Crashed after 12 ms: it touched memory that is not its own (SIGSEGV)",
    ],
    [{ status: "signalled", signal: "SIGUSR1" }, "bad", "Crashed after 12 ms: SIGUSR1"],
    [{ status: "setup_error", reason: "no mount" }, "bad", "Could not be started: no mount"],
  ] as [Partial<Stage>, string, string][])("%o", (more, tone, sentence) => {
    expect(ending(run(more))).toMatchObject({ tone, sentence });
  });

  it("names a run that never began", () => {
    expect(ending(run(null, { state: "cancelled", status: "cancelled" })).sentence).toBe(
      "Cancelled before it ran",
    );
    expect(ending(run(null, { state: "lost", reason: "three crashes" })).sentence).toBe(
      "Lost: three crashes",
    );
    expect(ending(run(null, { status: "rejected", reason: "no room" })).sentence).toBe(
      "Not run: no room",
    );
  });

  it("tells of a fork bomb and of refused calls", () => {
    const { notes } = ending(
      run({
        events: { process_limit_hits: 1234, leftover_processes: 1, disk_full: false },
        denied_syscalls: [{ name: "mount", count: 2 }],
      }),
    );
    expect(notes[0]).toContain("more than 64 processes at once and was refused 1,234 times");
    expect(notes[1]).toBe("1 process that it left behind was ended with it.");
    expect(notes[2]).toBe("The kernel refused what it asked for: mount.");
  });

  it("has a word for each row of a table", () => {
    const judged = run({});
    if (judged.outcome !== null) judged.outcome.verdict = "wrong_answer";
    expect(verdict(judged)).toEqual({ tone: "bad", word: "wrong" });
    expect(verdict(run({ status: "timeout" }))).toEqual({ tone: "stopped", word: "too slow" });
    expect(verdict(run(null, { state: "queued", status: null })).word).toBe("waits");
    expect(statusWord(run(null, { state: "lost" }))).toBe("lost");
  });
});

describe("numbers", () => {
  it("are written as people do", () => {
    expect([0, 0.456, 9.94, 12.3, 999, 1500, 12_340, 60_000, 90_500].map(milliseconds)).toEqual([
      "0 ms",
      "0.46 ms",
      "9.9 ms",
      "12 ms",
      "999 ms",
      "1.5 s",
      "12.3 s",
      "1 min",
      "1 min 31 s",
    ]);
    expect([0, 1, 1023, 1024, 1536, 128 * MiB, 3 * 1024 * MiB].map(bytes)).toEqual([
      "0 bytes",
      "1 byte",
      "1023 bytes",
      "1 KiB",
      "1.5 KiB",
      "128 MiB",
      "3 GiB",
    ]);
    expect(count(1, "process", "processes")).toBe("1 process");
    expect(ago("2026-01-01T00:00:00Z", Date.parse("2026-01-01T02:00:00Z"))).toBe("2 hours ago");
  });
});
