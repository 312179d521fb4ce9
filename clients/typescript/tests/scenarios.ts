// What the client does against a live service, one scenario each: node scenarios.js NAME URL [ARGUMENT…]
import assert from "node:assert/strict";
import {
  BadAnswer,
  bytesWritten,
  Client,
  ConnectionLost,
  type ExecutionEvent,
  type ExecutionStream,
  Problem,
  type Program,
  type RunEvent,
  type RunStream,
  type Session,
  Timeout,
  textWritten,
} from "@belljar/client";

const python = (source: string, more: Partial<Program> = {}): Program => ({
  language: "python",
  source,
  ...more,
});
const SLEEPING = "print('ready', flush=True)\nimport time; time.sleep(600)";
const COUNTING = "import time\nfor n in range(100): print(n, flush=True); time.sleep(0.005)";
const SLEEP = python(SLEEPING);
const NUMBERS = python(COUNTING);
const DIGITS = Array.from({ length: 100 }, (_, n) => `${n}\n`).join("");

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}

function written(
  events: (RunEvent | ExecutionEvent)[],
  stream: "stdout" | "stderr" = "stdout",
): Buffer {
  const parts: Uint8Array[] = [];
  for (const event of events) if (event.type === stream) parts.push(bytesWritten(event.data));
  return Buffer.concat(parts);
}

async function problem(promise: Promise<unknown>): Promise<Problem> {
  try {
    await promise;
  } catch (error) {
    assert(error instanceof Problem, String(error));
    return error;
  }
  assert.fail("it was not refused");
}

async function upToOutput(stream: RunStream | ExecutionStream): Promise<void> {
  for await (const event of stream) if (event.type === "stdout") return;
}

// A session for as long as something is done with it.
async function inSession(
  url: string,
  use: (session: Session, client: Client) => Promise<void>,
): Promise<void> {
  const client = new Client(url);
  const session = await client.session();
  try {
    await use(session, client);
  } finally {
    await session.quit();
  }
}

const stdout = (run: Awaited<ReturnType<Client["run"]>>) => run.outcome?.stages.at(-1)?.stdout;

const scenarios: Record<string, (url: string, ...more: string[]) => Promise<void>> = {
  async success(url) {
    const client = new Client(url);
    const source = "import sys; print(input(), sys.argv[1])";
    const run = await client.run(python(source, { stdin: "hello", args: ["world"] }));
    assert.deepEqual([run.state, run.status], ["done", "ok"]);
    assert.equal(stdout(run)?.text, "hello world\n");
    assert.equal(run.outcome?.stages[0]?.exit_code, 0);
    assert.deepEqual(await client.get(run.id), run);
  },

  async timeout(url) {
    const run = await new Client(url).run(
      python("while True: pass", { limits: { wall: "300ms" } }),
    );
    assert.equal(run.status, "timeout");
    assert.equal(run.outcome?.stages[0]?.clock, "wall");
  },

  async bad_limit(url) {
    const client = new Client(url);
    for (const [memory, status] of [["999T", 400] as const, ["900G", 403] as const]) {
      const told = await problem(client.run(python("1", { limits: { memory } })));
      assert.deepEqual([told.status, told.field, told.limit], [status, "limits.memory", "memory"]);
      assert.match(told.message, /limits\.memory/);
      assert.match(told.requestId ?? "", /^req_/);
      assert.equal(told.body.status, status);
      assert.equal(told.retryAfter, undefined);
    }
    const batch = [python("1"), python("1", { limits: { wall: "soon" } })];
    assert.equal((await problem(client.batch(batch))).limit, "wall");
  },

  async files(url) {
    const main = "import os, data; print(data.text, os.environ['MODE'], open('raw', 'rb').read())";
    const raw = new Uint8Array([255, 0]);
    const files = { "main.py": main, "data.py": "text = 'ä'", raw };
    const run = await new Client(url).run({ files, entry: "main.py", env: { MODE: "test" } });
    assert.equal(stdout(run)?.text, "ä test b'\\xff\\x00'\n");
  },

  async unicode_and_bytes(url) {
    const client = new Client(url);
    const text = "a\u00e9\u20ac\u{1f600}\u2028\u001b[31m\ufeff";
    const copy = python("import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())");
    const words = stdout(await client.run({ ...copy, stdin: text }));
    assert(words);
    assert.equal(words.text, text);
    assert.equal(textWritten(words), text);
    const data = Uint8Array.from({ length: 768 }, (_, n) => n % 256);
    const bytes = stdout(await client.run({ ...copy, stdin: data }));
    assert(bytes?.base64 !== undefined);
    assert.deepEqual(Buffer.from(bytesWritten(bytes)), Buffer.from(data));
    const events = await collect(client.stream({ ...copy, stdin: data }));
    assert.deepEqual(written(events), Buffer.from(data));
  },

  async submit_cancel(url) {
    const client = new Client(url);
    const id = await client.submit(SLEEP);
    await client.cancel(id);
    assert.equal((await client.get(id, { wait: true })).state, "cancelled");
    assert.equal((await problem(client.cancel(id))).status, 409);
    assert.equal((await problem(client.get("run_none"))).status, 404);
  },

  async list(url) {
    const client = new Client(url);
    const sources = Array.from({ length: 7 }, (_, n) => python(`print(${n})`));
    const batch = await client.batch(sources);
    const ids = batch.runs.map((run) => run.id ?? "");
    for (const id of ids) await client.get(id, { wait: true });
    const listed = await collect(client.list({ batch: batch.id, pageSize: 3 }));
    assert.deepEqual(listed.map((run) => run.id).reverse(), ids);
    assert.deepEqual(await collect(client.list({ batch: batch.id, state: "running" })), []);
    assert.equal((await client.getBatch(batch.id)).ended, 7);
  },

  async inputs(url) {
    const client = new Client(url);
    const inputs = [
      { stdin: "1", expected: "2" },
      { stdin: new TextEncoder().encode("2"), expected: "5" },
    ];
    const batch = await client.batchOfInputs(python("print(int(input()) * 2)"), inputs);
    const ends = batch.runs.map((run) => client.get(run.id ?? "", { wait: true }));
    const verdicts = (await Promise.all(ends)).map((run) => run.outcome?.verdict);
    assert.deepEqual(verdicts, ["pass", "wrong_answer"]);
  },

  async artifacts(url) {
    const client = new Client(url);
    const make = "import os; os.mkdir('out'); open('out/ä #%', 'wb').write(bytes(range(256)))";
    const run = await client.run(python(make, { artifacts: ["out/**"] }));
    assert.deepEqual(await client.artifacts(run.id), run.outcome?.artifacts);
    const data = await client.artifact(run.id, "out/ä #%");
    assert.deepEqual([...data], [...Array(256).keys()]);
    const odd = await client.run(
      python("open(b'odd\\xff', 'w').write('1')", { artifacts: ["odd*"] }),
    );
    const [artifact] = await client.artifacts(odd.id);
    assert.ok(artifact);
    assert.deepEqual([...(await client.artifact(odd.id, artifact))], [0x31]);
    assert.equal((await problem(client.artifact(run.id, "none"))).status, 404);
  },

  async stream(url) {
    const client = new Client(url);
    const stream = client.stream(python("import sys\nprint('ä')\nprint(1, file=sys.stderr)"));
    const events = await collect(stream);
    assert.deepEqual(
      events.map((event) => event.id),
      events.map((_, at) => at + 1),
    );
    assert.equal(String(written(events)), "ä\n");
    assert.equal(String(written(events, "stderr")), "1\n");
    assert.equal(events.at(-1)?.type, "outcome");
    assert(stream.id !== undefined && stream.run !== undefined);
    assert.deepEqual(stream.run, await client.get(stream.id));
    assert.deepEqual(await collect(client.events(stream.id)), events);
    assert.deepEqual(await collect(client.events(stream.id, { after: 2 })), events.slice(2));
    // The numbers before were another attempt's.
    const [only, ...others] = await collect(client.events(stream.id, { after: 1000 }));
    assert.deepEqual([only?.type, others], ["outcome", []]);
    assert.equal((await problem(collect(client.events("run_none")))).status, 404);
  },

  async left(url) {
    const client = new Client(url);
    const stream = client.stream(SLEEP);
    await upToOutput(stream);
    assert(stream.id !== undefined);
    assert.equal((await client.get(stream.id)).state, "running");
    const after = stream.lastEventId;
    for (const waiting of [
      (signal: AbortSignal) => client.get(stream.id ?? "", { wait: true, signal }),
      (signal: AbortSignal) => collect(client.events(stream.id ?? "", { after, signal })),
    ]) {
      await assert.rejects(waiting(AbortSignal.timeout(200)), { name: "TimeoutError" });
    }
    await client.cancel(stream.id);
    // Taken up where it was left.
    assert.equal((await collect(stream)).at(-1)?.type, "outcome");
    assert.equal(stream.run?.state, "cancelled");
  },

  async cut(url) {
    const events = await collect(new Client(url, { retries: 4 }).stream(NUMBERS));
    assert.deepEqual(
      events.map((event) => event.id),
      events.map((_, at) => at + 1),
    );
    assert.equal(String(written(events)), DIGITS);
    assert.equal(events.at(-1)?.type, "outcome");
  },

  async always_cut(url) {
    const client = new Client(url, { reconnects: 2 });
    await assert.rejects(collect(client.stream(NUMBERS)), ConnectionLost);
  },

  session_state: (url) =>
    inSession(url, async (session) => {
      const first = await session.execute("x = 20\nprint('said')");
      assert(first.ok && first.ended);
      assert.deepEqual([first.stdout?.text, first.value, first.results], ["said\n", undefined, []]);
      const second = await session.execute("x + 1");
      assert.deepEqual([second.status, second.value, second.error], ["ok", "21", undefined]);
      assert((second.usage?.wall_ms ?? 0) > 0 && second.raw.count === 2);
      assert.deepEqual(await session.get(second.id), second);
      assert.equal((await session.look()).executions, 2);
    }),

  session_repeated: (url) =>
    inSession(url, async (session, client) => {
      const again = { idempotencyKey: `count-${session.id}` };
      await session.execute("n = 0");
      const first = await session.execute("n += 1; n", again);
      const second = await session.execute("n += 1; n", again);
      assert.deepEqual([first.value, second.value, second.id], ["1", "1", first.id]);
      assert.equal(await session.submit("n += 1; n", again), first.id);
      const streamed = session.stream("n += 1; n", again);
      await collect(streamed);
      assert.equal(streamed.id, first.id);
      assert.equal((await problem(session.execute("n = 5", again))).status, 409);
      assert.equal((await session.execute("n")).value, "1");
      const key = { idempotencyKey: `made-${session.id}` };
      const made = await client.session({}, key);
      assert.equal((await client.session({}, key)).id, made.id);
      await made.quit();
    }),

  session_error: (url) =>
    inSession(url, async (session) => {
      const made = await session.execute("def f():\n    return {}['k']\n\nf()");
      assert.deepEqual([made.ok, made.status, made.value], [false, "error", undefined]);
      assert.deepEqual([made.error?.name, made.error?.value], ["KeyError", "'k'"]);
      assert.match(made.error?.traceback ?? "", /line 2, in f/);
    }),

  session_results: (url) =>
    inSession(url, async (session) => {
      const code = [
        "class Picture:",
        "    def _repr_png_(self): return b'\\x89PNG'",
        "    def _repr_json_(self): return {'a': [1]}",
        "    def _repr_html_(self): return '<b>'",
        "    def __repr__(self): return 'a picture'",
        "display(1)",
        "Picture()",
      ].join("\n");
      const made = await session.execute(code);
      const [shown, main] = made.results;
      assert.deepEqual([shown?.main, shown?.text(), main?.main], [false, "1", true]);
      assert.deepEqual([made.value, main?.text("text/html")], ["a picture", "<b>"]);
      assert.deepEqual([...(main?.bytes("image/png") ?? [])], [0x89, 0x50, 0x4e, 0x47]);
      assert.deepEqual(main?.data["application/json"], { a: [1] });
      assert.deepEqual([main?.bytes("text/html"), main?.text("image/png")], [undefined, undefined]);
    }),

  async session_files(url) {
    const files = { "helper.py": "x = 7", raw: new Uint8Array([255, 0]) };
    const limits = { memory: "128M" };
    const session = await new Client(url).session({
      files,
      env: { MODE: "deep" },
      limits,
      ttl: 600,
    });
    assert.deepEqual([session.info.limits.memory_bytes, session.info.ttl_ms], [2 ** 27, 600_000]);
    const code = "import helper, os; helper.x, os.environ['MODE'], open('raw', 'rb').read()";
    assert.equal((await session.execute(code)).value, "(7, 'deep', b'\\xff\\x00')");
    const made = await session.execute("open('plot.png', 'wb').write(bytes(9))");
    assert.deepEqual(made.files, [{ path: "plot.png", bytes: 9, mime: "image/png" }]);
    await session.quit();
  },

  session_timeout: (url) =>
    inSession(url, async (session) => {
      await session.execute("x = 1");
      const made = await session.execute("while True: pass", { limits: { cpu: 0.3 } });
      assert.deepEqual([made.status, made.raw.clock], ["timeout", "cpu"]);
      assert.equal((await session.execute("x")).value, "1");
    }),

  session_interrupt: (url) =>
    inSession(url, async (session, client) => {
      assert.equal((await problem(session.interrupt())).status, 409);
      await session.execute("x = 1");
      const id = await session.submit(SLEEPING);
      assert.equal((await session.get(id)).ended, false);
      const waiting = session.get(id, { wait: true });
      await upToOutput((await client.attach(session.id)).events(id));
      await session.interrupt();
      const made = await waiting;
      assert.deepEqual([made.status, made.error?.name], ["interrupted", "KeyboardInterrupt"]);
      assert.equal((await session.execute("x")).value, "1");
    }),

  session_stream: (url) =>
    inSession(url, async (session) => {
      const stream = session.stream("print('ä')\ndisplay('shown')\n1");
      const events = await collect(stream);
      assert.deepEqual(
        events.map((event) => event.id),
        events.map((_, at) => at + 1),
      );
      assert.equal(String(written(events)), "ä\n");
      assert.equal(events.filter((event) => event.type === "result").length, 2);
      assert(stream.id !== undefined && stream.execution?.value === "1");
      assert.deepEqual(stream.execution, await session.get(stream.id));
      assert.deepEqual(await collect(session.events(stream.id, { after: 2 })), events.slice(2));
    }),

  // Only the events go through what cuts.
  async session_cut(url, direct = "") {
    const through: typeof fetch = (target, init) => {
      const asked = String(target);
      return fetch(asked.endsWith("/events") ? asked.replace(direct, url) : asked, init);
    };
    await inSession(direct, async (session) => {
      const attached = await new Client(direct, { fetch: through }).attach(session.id);
      const stream = attached.stream(COUNTING);
      const events = await collect(stream);
      assert.deepEqual(
        events.map((event) => event.id),
        events.map((_, at) => at + 1),
      );
      assert.equal(String(written(events)), DIGITS);
      assert.equal(stream.execution?.ok, true);
      assert.equal((await session.look()).executions, 1);
    });
  },

  // Against answers of the test's own: a session, then always 503.
  async session_gone(url) {
    const session = await new Client(url, { retries: 1 }).attach("ses_1");
    assert.equal((await problem(session.execute("1"))).status, 503);
    assert.equal((await problem(collect(session.stream("1")))).status, 503);
    assert.equal((await problem(session.quit())).status, 503);
    assert.throws(() => session.events(".."), TypeError);
  },

  session_contexts: (url) =>
    inSession(url, async (session) => {
      const context = "second";
      assert.deepEqual((await session.createContext(context)).contexts, ["default", context]);
      await session.execute("x = 1; open('shared', 'w').write('both')");
      const code = "open('shared').read(), 'x' in globals()";
      assert.equal((await session.execute(code, { context })).value, "('both', False)");
      await session.restartContext();
      assert.equal((await session.execute("x")).error?.name, "NameError");
      assert.deepEqual((await session.removeContext(context)).contexts, ["default"]);
      assert.equal((await problem(session.execute("1", { context }))).status, 404);
      assert.equal((await problem(session.createContext("default"))).status, 409);
    }),

  sessions_apart: (url) =>
    inSession(url, async (session, client) => {
      await session.execute("x = 1; open('kept', 'w')");
      const other = await client.session();
      const found = await other.execute("import os; 'x' in globals(), os.listdir()");
      assert.equal(found.value, "(False, [])");
      const ended = await other.quit();
      assert.deepEqual([ended.state, ended.reason], ["ended", "quit"]);
      for (const refused of [
        () => other.execute("1"),
        () => collect(other.stream("1")),
        () => other.interrupt(),
      ]) {
        const told = await problem(refused());
        assert.equal(told.status, 409);
        assert.match(told.message, /the session has ended: quit/);
      }
      assert.equal((await other.quit()).state, "ended");
      assert.equal((await session.execute("x")).value, "1");
      assert.equal((await problem(client.attach("ses_none"))).status, 404);
      const told = await problem(client.session({ limits: { memory: "none" } }));
      assert.deepEqual([told.status, told.limit], [400, "memory"]);
    }),

  async key(url, key) {
    const named = new Client(url, { key: key ?? "" });
    assert.equal((await named.run(python("print(1)"))).status, "ok");
    for (const options of [{}, { key: `bj_${"0".repeat(64)}` }]) {
      assert.equal((await problem(new Client(url, options).run(python("1")))).status, 401);
    }
    assert.throws(() => new Client(url, { key: "a\nb" }), TypeError);
  },

  async too_many(url, key) {
    const client = new Client(url, { key: key ?? "" });
    const calls = async () => {
      for (let n = 0; n < 4; ++n) await client.submit(python("1"));
    };
    const told = await problem(calls());
    assert.equal(told.status, 429);
    assert(told.retryAfter !== undefined && told.retryAfter >= 1 && told.retryAfter <= 60);
  },

  // Against answers of the test's own: 429 with Retry-After, then a run.
  async tried_again(url) {
    const began = Date.now();
    const run = await new Client(url, { retries: 1 }).run(python("1"));
    assert(Date.now() - began >= 1000);
    // What this version does not know is kept.
    assert.deepEqual((run as unknown as { new: unknown }).new, { field: [1] });
  },

  // Always 503.
  async gone(url) {
    const client = new Client(url, { retries: 2 });
    assert.equal((await problem(client.submit(python("1")))).status, 503);
    assert.equal(await new Client(url).ready(), false);
    const again = client.submit(python("1"), { idempotencyKey: "a" });
    assert.equal((await problem(again)).status, 503);
  },

  async silent(url) {
    await assert.rejects(new Client(url, { timeout: 300 }).system(), Timeout);
    const signal = AbortSignal.timeout(300);
    await assert.rejects(new Client(url).run(python("1"), { signal }), { name: "TimeoutError" });
  },

  async not_there(url) {
    await assert.rejects(new Client(url).system(), ConnectionLost);
  },

  async no_service(url) {
    await assert.rejects(new Client(url).system(), BadAnswer);
    await assert.rejects(collect(new Client(url).stream(python("1"))), BadAnswer);
  },

  async wrong_arguments(url) {
    const client = new Client(url);
    assert.throws(() => client.run({}), TypeError);
    assert.throws(() => client.run({ source: "1", files: { "a.py": "1" } }), TypeError);
    assert.throws(() => client.stream(python("1"), { idempotencyKey: "a\r\nb: c" }), TypeError);
    for (const id of ["", ".", ".."]) assert.throws(() => client.get(id), TypeError);
    for (const wrong of ["", "127.0.0.1:8000", "ftp://a", "http://a:b@c", "http://a/?x"]) {
      assert.throws(() => new Client(wrong), TypeError);
    }
  },

  // Every method once; the test looks at what the service was asked.
  async everything(url) {
    const client = new Client(url);
    const run = await client.run(python("open('a', 'w')", { artifacts: ["a"] }));
    await client.get(run.id);
    await collect(client.list({ pageSize: 1000 }));
    await collect(client.events(run.id));
    await client.request(run.id);
    await client.artifacts(run.id);
    await client.artifact(run.id, "a");
    const batch = await client.batch([python("1")]);
    await client.getBatch(batch.id);
    await client.cancel(await client.submit(SLEEP));
    await inSession(url, async ({ id }) => {
      assert((await client.sessions()).some((each) => each.id === id));
      const session = await client.attach(id);
      const stream = session.stream(SLEEPING);
      await upToOutput(stream);
      assert.equal((await session.look()).state, "running");
      await session.interrupt();
      await session.get(stream.id ?? "", { wait: true });
      for await (const each of session.executions({ pageSize: 1 }))
        assert.equal(each.session, session.id);
      await session.createContext("second");
      await session.restartContext("second");
      await session.removeContext("second");
      const bytes = new Uint8Array([0, 255]);
      assert.equal((await session.writeFile("a/b.csv", bytes)).mime, "text/csv");
      assert.deepEqual(await session.readFile("a/b.csv"), bytes);
      assert.deepEqual(
        (await session.files()).files.map((each) => each.path),
        ["a/b.csv"],
      );
      await session.removeFile("a/b.csv");
      assert.equal((await session.pause()).state, "paused");
      assert.equal((await problem(session.execute("1"))).status, 409);
      assert.equal((await session.resume()).state, "idle");
    });
    assert((await client.languages()).some((language) => language.name === "python"));
    assert((await client.policies()).some((policy) => policy.maximum.memory_bytes > 0));
    assert((await client.walls()).some((wall) => wall.name === "seccomp"));
    assert((await client.system()).runs.concurrent > 0);
    assert.equal(await client.health(), true);
    assert.equal(await client.ready(), true);
    assert.match(await client.metrics(), /belljar_runs_total/);
    assert.match(await client.contract(), /^openapi: /);
  },
};

const [name, url, ...more] = process.argv.slice(2);
if (name === undefined) {
  console.log(Object.keys(scenarios).join("\n"));
} else {
  const scenario = scenarios[name];
  assert(scenario !== undefined && url !== undefined, `there is no scenario ${name}`);
  await scenario(url, ...more);
}
