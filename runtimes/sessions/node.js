// What executes code in a session of JavaScript: a process for each context, beside the driver.
//
// It takes frames from the driver and answers as a context of python.py does: `begun`, results, an
// error, `done`. The code runs in this very process, which it can do with as it likes; the driver
// checks the form of what comes.
"use strict";

(() => {
  const { Socket } = require("node:net");
  const { PassThrough, Writable } = require("node:stream");
  const { inspect } = require("node:util");
  const { start, Recoverable } = require("node:repl");
  // The code may put others in their place.
  const { parse, stringify } = JSON;
  const env = process.env;
  const INTERRUPTED = "ERR_SCRIPT_EXECUTION_INTERRUPTED";
  const largest = { text: 1 << 20, error: 1 << 18, name: 256 };

  const control = new Socket({ fd: Number(process.argv[1]), readable: true, writable: true });
  process.argv.length = 1;
  const send = (frame) =>
    new Promise((resolve) => {
      const body = Buffer.from(stringify(frame));
      const head = Buffer.alloc(4);
      head.writeUInt32LE(body.length);
      control.write(Buffer.concat([head, body]), resolve);
    });
  const cut = (text, most) =>
    text.length <= most ? text : `${text.slice(0, most)}\n... (${text.length - most} more characters)`;

  // Its evaluation knows of top-level await, and ends at SIGINT.
  const evaluator = start({
    prompt: "",
    input: new PassThrough(),
    output: new Writable({ write: (_chunk, _encoding, done) => done() }),
    terminal: false,
    useGlobal: true,
    breakEvalOnSigint: true,
  });
  let fail = null; // of what is evaluated
  const evaluate = (code, title) =>
    new Promise((resolve) => {
      fail = (failure) => resolve({ failed: true, failure });
      // A handler of ours would keep SIGINT from what ends an evaluation, which leaves none behind.
      process.removeListener("SIGINT", onInterrupt);
      evaluator.eval(`${code}\n`, evaluator.context, title, (failure, value) =>
        // In an object, since what the value is could be thenable.
        failure === null ? resolve({ failed: false, value }) : fail?.(failure),
      );
      process.on("SIGINT", onInterrupt);
    }).finally(() => {
      fail = null;
    });
  // While it waits for what was not there yet; what comes when nothing is evaluated is nothing.
  const onInterrupt = () => fail?.({ code: INTERRUPTED });
  // What is thrown comes this way, by a timer too: it fails what is evaluated then, if anything is.
  function thrown(error) {
    if (fail !== null) fail(error);
    else process.stderr.write(`${described(error)[2]}\n`);
  }
  evaluator._domain?.removeAllListeners("error");
  evaluator._domain?.on("error", thrown);
  process.on("uncaughtException", thrown);
  process.on("SIGINT", onInterrupt);

  function shown(value) {
    try {
      return inspect(value);
    } catch (error) {
      return `<a value that cannot be shown: ${inspect(error?.message)}>`;
    }
  }

  function described(error) {
    if (!(error instanceof Error)) return ["Uncaught", shown(error), `Uncaught ${shown(error)}`];
    const lines = String(error.stack ?? error).split("\n");
    const inner = /^\s+at (.*(node:|REPL\d*:|\[eval\])|new Promise \(<anonymous>\)$)/;
    return [String(error.name), String(error.message), lines.filter((line) => !inner.test(line)).join("\n")];
  }

  function lend(variables) {
    const before = Object.entries(variables).map(([name]) => [name, env[name]]);
    Object.assign(env, variables);
    return () => {
      for (const [name, value] of before) {
        if (value === undefined) delete env[name];
        else env[name] = value;
      }
    };
  }

  async function execute({ id, code, title, env: variables }) {
    await send({ type: "begun", id });
    const giveBack = lend(variables);
    let { failed, failure, value } = await evaluate(code, title);
    giveBack();
    if (failure instanceof Recoverable) failure = failure.err;
    const interrupted = failed && failure?.code === INTERRUPTED;
    if (failed) {
      const [name, message, trace] = interrupted
        ? ["Interrupted", "the execution was interrupted", "Interrupted: the execution was interrupted"]
        : described(failure);
      await send({
        type: "error",
        id,
        name: cut(name, largest.name - 40),
        value: cut(message, largest.error - 100),
        traceback: cut(trace, largest.error - 100),
      });
    } else if (value !== undefined) {
      const data = { "text/plain": cut(shown(value), largest.text) };
      await send({ type: "result", id, main: true, data, metadata: {} });
    }
    await send({ type: "done", id, status: interrupted ? "interrupted" : failed ? "error" : "ok" });
  }

  let held = Buffer.alloc(0);
  let turn = Promise.resolve();
  control.on("data", (chunk) => {
    held = Buffer.concat([held, chunk]);
    while (held.length >= 4 && held.length >= 4 + held.readUInt32LE()) {
      const end = 4 + held.readUInt32LE();
      const frame = parse(held.toString("utf8", 4, end));
      held = held.subarray(end);
      turn = turn.then(() => execute(frame));
    }
  });
  const leave = () => process.exit(0); // the driver is gone
  control.on("end", leave);
  control.on("error", leave);
})();
