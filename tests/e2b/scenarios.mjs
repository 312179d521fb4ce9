// What @e2b/code-interpreter documents, tried with the package itself; run.mjs runs one of them.
// It is taken from BELLJAR_PACKAGES, where ./dev has installed it.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

const { E2B, InvalidArgumentError, NotFoundError, Sandbox, SandboxError, TimeoutError } = await import(
  `${process.env.BELLJAR_PACKAGES}/@e2b/code-interpreter/dist/index.mjs`
);

const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

const open = () => Sandbox.create({ debug: true });

// One result of the code.
async function shown(code) {
  const execution = await (await open()).runCode(code);
  assert.equal(execution.error, undefined);
  assert.equal(execution.results.length, 1);
  return execution.results[0];
}

// ---- Values ----

export async function the_value_of_the_last_expression() {
  const sandbox = await open();
  const execution = await sandbox.runCode('x = 20\nx + 1');
  assert.equal(execution.text, '21');
  assert.deepEqual(execution.logs, { stdout: [], stderr: [] });
  assert.equal(execution.error, undefined);
  assert.equal(execution.results[0].isMainResult, true);
  assert.equal((await sandbox.runCode("'as it is'")).text, 'as it is');
  assert.equal((await sandbox.runCode('"it\'s"')).text, "it's");
  assert.equal((await sandbox.runCode('y = 1')).text, undefined);
  assert.equal((await sandbox.runCode('')).text, undefined);
}

export async function state_stays() {
  const sandbox = await open();
  const first = await sandbox.runCode('import math\ndef f(n): return n * x\nx = 2');
  assert.equal((await sandbox.runCode('x += 1; f(7)')).text, '21');
  const third = await sandbox.runCode("open('kept', 'w').write('here')");
  assert.equal(third.executionCount, first.executionCount + 2);
  // Another client of the same port has the same sandbox.
  const other = await new E2B({ debug: true }).Sandbox.create();
  assert.equal((await other.runCode("x, open('kept').read()")).text, "(3, 'here')");
  const connected = await Sandbox.connect('any', { debug: true });
  assert.equal((await connected.runCode('x')).text, '3');
}

// ---- Streams ----

export async function output_comes_while_the_code_runs() {
  const sandbox = await open();
  const seen = [];
  const note = (name) => (message) => seen.push([name, message.line, message.error, performance.now()]);
  const code = `
import sys, time
print('first')
time.sleep(1)
print('second', file=sys.stderr)
time.sleep(1)
print('third', end='')
42`;
  const execution = await sandbox.runCode(code, {
    onStdout: note('out'),
    onStderr: note('err'),
    onResult: (result) => seen.push(['result', result.text]),
  });
  const end = performance.now();
  assert.deepEqual(
    seen.map(([name, line, error]) => [name, line, error]),
    [
      ['out', 'first\n', false],
      ['err', 'second\n', true],
      ['out', 'third', false],
      ['result', '42', undefined],
    ],
  );
  assert(end - seen[0][3] > 1500, 'the first line came late');
  assert(end - seen[1][3] > 500, 'the second line came late');
  assert.deepEqual(execution.logs, { stdout: ['first\n', 'third'], stderr: ['second\n'] });
}

export async function results_come_while_the_code_runs() {
  const sandbox = await open();
  const seen = [];
  await sandbox.runCode("display('a'); import time; time.sleep(1.5); display('b')", {
    onResult: (result) => seen.push([result.text, result.isMainResult, performance.now()]),
  });
  assert.deepEqual(
    seen.map(([text, main]) => [text, main]),
    [
      ['a', false],
      ['b', false],
    ],
  );
  assert(seen[1][2] - seen[0][2] > 1000, 'the first result came late');
}

export async function text_of_every_script() {
  const sandbox = await open();
  const execution = await sandbox.runCode("print('grüße 你好 🎉' * 2000)\nimport os\n_ = os.write(1, b'\\xff')\n'ä'");
  assert.equal(execution.logs.stdout.join(''), `${'grüße 你好 🎉'.repeat(2000)}\n\ufffd`);
  assert.equal(execution.text, 'ä');
}

// ---- Results ----

const rich = (methods) => `
class Rich:
    def __repr__(self): return 'plain'
${Object.entries(methods)
  .map(([name, value]) => `    def _repr_${name}_(self): return ${value}\n`)
  .join('')}
Rich()`;

export async function a_picture() {
  const result = await shown(`import base64\n${rich({ png: `base64.b64decode('${PNG}')` })}`);
  assert.equal(result.png, PNG);
  assert.equal(result.text, 'plain');
  assert.deepEqual(result.formats(), ['png']);
}

export async function text_formats() {
  const result = await shown(
    rich({
      html: "'<b>bold</b>'",
      markdown: "'**bold**'",
      svg: "'<svg/>'",
      latex: "'$x$'",
      javascript: "'1 + 1'",
      json: "{'a': [1, 2.5, None]}",
      jpeg: "b'jpeg'",
      pdf: "b'%PDF'",
    }),
  );
  assert.deepEqual(result.toJSON(), {
    text: 'plain',
    html: '<b>bold</b>',
    markdown: '**bold**',
    svg: '<svg/>',
    png: undefined,
    jpeg: Buffer.from('jpeg').toString('base64'),
    pdf: Buffer.from('%PDF').toString('base64'),
    latex: '$x$',
    json: { a: [1, 2.5, null] },
    javascript: '1 + 1',
  });
  assert.deepEqual(result.formats(), ['html', 'markdown', 'svg', 'jpeg', 'pdf', 'latex', 'json', 'javascript']);
}

export async function formats_of_no_name() {
  const bundle = `
class Rich:
    def _repr_mimebundle_(self, **_): return {'application/x-mine': 'mine', 'text/plain': 'plain'}
Rich()`;
  const result = await shown(bundle);
  assert.equal(result.text, 'plain');
  assert.deepEqual(result.raw.extra, { 'application/x-mine': 'mine' });
}

export async function several_results() {
  const sandbox = await open();
  const code = "from belljar_display import HTML\ndisplay(HTML('<i>one</i>'))\ndisplay('two')\n3";
  const { results, text } = await sandbox.runCode(code);
  assert.equal(text, '3');
  assert.deepEqual(
    results.map((each) => [each.html, each.isMainResult]),
    [
      ['<i>one</i>', false],
      [undefined, false],
      [undefined, true],
    ],
  );
}

// ---- Errors ----

export async function an_error_has_a_traceback() {
  const sandbox = await open();
  const told = [];
  const execution = await sandbox.runCode("print('before')\ndef f():\n    raise ValueError('too much')\nf()", {
    onError: (error) => told.push(error.name),
  });
  assert.deepEqual(told, ['ValueError']);
  assert.equal(execution.error.name, 'ValueError');
  assert.equal(execution.error.value, 'too much');
  assert.match(execution.error.traceback, /^Traceback .*\n.*line 4, in <module>[^]*line 3, in f[^]*ValueError: too much/);
  assert.deepEqual(execution.logs.stdout, ['before\n']);
  assert.equal(execution.text, undefined);
  assert.equal((await sandbox.runCode('1 +')).error.name, 'SyntaxError');
}

export async function code_that_ends_its_interpreter() {
  const sandbox = await open();
  const context = await sandbox.createCodeContext();
  for (const [code, value] of [
    ["x = 1; print('said', flush=True); raise SystemExit(3)", /exit code 3/],
    ['import os, signal; os.kill(os.getpid(), signal.SIGKILL)', /SIGKILL/],
  ]) {
    const execution = await sandbox.runCode(code, { context });
    assert.equal(execution.error.name, 'UnexpectedEndOfExecution');
    assert.match(execution.error.value, value);
  }
  assert.equal((await sandbox.runCode('x', { context })).error.name, 'NameError');
  await sandbox.removeCodeContext(context);
}

// ---- Time ----

export async function a_timeout_interrupts_and_keeps_the_state() {
  const sandbox = await open();
  await sandbox.runCode('kept = 1');
  const begun = performance.now();
  await assert.rejects(sandbox.runCode('kept = 2\nimport time\ntime.sleep(50)\nkept = 3', { timeoutMs: 700 }), TimeoutError);
  // It waits for the former one, which would be another 49 seconds.
  assert.equal((await sandbox.runCode('kept')).text, '2');
  assert(performance.now() - begun < 20_000);
}

export async function what_was_waiting_does_not_begin_after_a_timeout() {
  const sandbox = await open();
  await sandbox.runCode('done = []');
  const long = sandbox.runCode("import time\ntime.sleep(3)\ndone.append('long')");
  await sleep(300);
  await assert.rejects(sandbox.runCode("done.append('late')", { timeoutMs: 300 }), TimeoutError);
  const last = sandbox.runCode('done');
  assert.equal((await long).error, undefined);
  assert.equal((await last).text, "['long']");
}

// ---- Contexts ----

export async function contexts_have_variables_of_their_own() {
  const sandbox = await open();
  const [one, two] = await Promise.all([sandbox.createCodeContext(), sandbox.createCodeContext({ language: 'python' })]);
  assert.notEqual(one.id, two.id);
  assert.deepEqual([one.language, one.cwd], ['python', '/box']);
  await sandbox.runCode("x = 'default'; open('shared', 'w').write('files are')");
  await sandbox.runCode("x = 'one'", { context: one });
  assert.equal((await sandbox.runCode('x', { context: two })).error.name, 'NameError');
  assert.equal((await sandbox.runCode('x', { context: one })).text, 'one');
  assert.equal((await sandbox.runCode('x')).text, 'default');
  assert.equal((await sandbox.runCode('x', { language: 'python' })).text, 'default');
  assert.equal((await sandbox.runCode("open('shared').read()", { context: two })).text, 'files are');
  await sandbox.removeCodeContext(one);
  await sandbox.removeCodeContext(two.id);
}

export async function contexts_are_listed_restarted_and_removed() {
  const sandbox = await open();
  const context = await sandbox.createCodeContext();
  const ids = async () => (await sandbox.listCodeContexts()).map((each) => each.id);
  assert.deepEqual((await sandbox.listCodeContexts()).find((each) => each.id === context.id), context);
  assert((await ids()).includes('default'));
  assert.equal((await sandbox.runCode('x = 1; x', { context })).executionCount, 1);
  await sandbox.restartCodeContext(context);
  const after = await sandbox.runCode('x', { context });
  assert.deepEqual([after.error.name, after.executionCount], ['NameError', 1]);
  await sandbox.removeCodeContext(context.id);
  assert(!(await ids()).includes(context.id));
  for (const gone of [
    () => sandbox.runCode('1', { context }),
    () => sandbox.restartCodeContext(context),
    () => sandbox.removeCodeContext(context),
  ]) {
    await assert.rejects(gone, (error) => error instanceof NotFoundError && error.message.includes(context.id));
  }
}

export async function the_default_context_restarts() {
  const sandbox = await open();
  await sandbox.runCode('x = 1');
  await sandbox.restartCodeContext('default');
  assert.equal((await sandbox.runCode('x')).error.name, 'NameError');
  await assert.rejects(sandbox.removeCodeContext('default'), /400/);
}

export async function a_context_begins_in_its_folder() {
  const sandbox = await open();
  await sandbox.runCode("import os; os.makedirs('/box/deep/er', exist_ok=True)");
  const context = await sandbox.createCodeContext({ cwd: '/box/deep/er' });
  assert.equal(context.cwd, '/box/deep/er');
  const where = async () => (await sandbox.runCode('import os; os.getcwd()', { context })).text;
  assert.equal(await where(), '/box/deep/er');
  await sandbox.restartCodeContext(context);
  assert.equal(await where(), '/box/deep/er');
  await sandbox.runCode('raise SystemExit', { context });
  assert.equal(await where(), '/box/deep/er');
  assert.equal((await sandbox.runCode('os.getcwd()')).text, '/box');
  await sandbox.removeCodeContext(context);
  await assert.rejects(sandbox.createCodeContext({ cwd: '/nowhere' }), /400/);
}

export async function variables_of_the_environment_are_of_one_execution() {
  const sandbox = await open();
  const look = "import os, subprocess\n(os.environ.get('MINE'), os.environ.get('HOME'), subprocess.getoutput('echo $MINE'))";
  const before = (await sandbox.runCode(look)).text;
  const execution = await sandbox.runCode(look, { envs: { MINE: 'is = "here"', HOME: '/elsewhere' } });
  assert.equal(execution.text, `('is = "here"', '/elsewhere', 'is = "here"')`);
  assert.equal((await sandbox.runCode(look)).text, before);
  await sandbox.runCode('raise ValueError', { envs: { MINE: 'gone' } });
  await sandbox.runCode("os.environ['KEPT'] = 'kept'; del os.environ['MINE']", { envs: { MINE: 'gone' } });
  assert.equal((await sandbox.runCode(look)).text, before);
  assert.equal((await sandbox.runCode("os.environ['KEPT']")).text, 'kept');
}

// ---- What is not there ----

export async function other_languages_are_refused() {
  const sandbox = await open();
  for (const language of ['javascript', 'r', 'bash']) {
    await assert.rejects(sandbox.runCode('1', { language }), (error) => error instanceof SandboxError && /400/.test(error.message));
    await assert.rejects(sandbox.createCodeContext({ language }), /400/);
  }
  const context = { id: 'default', language: 'python', cwd: '/box' };
  await assert.rejects(sandbox.runCode('1', { language: 'python', context }), InvalidArgumentError);
}

export async function a_sandbox_that_has_ended_is_made_again() {
  const sandbox = await open();
  const context = await sandbox.createCodeContext();
  await sandbox.runCode('x = 1');
  const execution = await sandbox.runCode('import os, signal, time; os.kill(os.getppid(), signal.SIGKILL); time.sleep(30)');
  assert.equal(execution.error.name, 'UnexpectedEndOfExecution');
  await assert.rejects(sandbox.runCode('1', { context }), NotFoundError);
  assert.deepEqual(
    (await sandbox.listCodeContexts()).map((each) => each.id),
    ['default'],
  );
  assert.equal((await sandbox.runCode('x')).error.name, 'NameError');
  assert.equal(await sandbox.kill(), true);
}

export async function many_at_once() {
  const sandbox = await open();
  const contexts = await Promise.all([1, 2, 3, 4].map(() => sandbox.createCodeContext()));
  const all = contexts.flatMap((context, n) => [1, 2, 3].map((m) => sandbox.runCode(`print(${n}); ${n} * 10 + ${m}`, { context })));
  const values = (await Promise.all(all)).map((each) => `${each.logs.stdout.join('').trim()}:${each.text}`);
  assert.deepEqual(values, contexts.flatMap((_, n) => [1, 2, 3].map((m) => `${n}:${n * 10 + m}`)));
  await Promise.all(contexts.map((context) => sandbox.removeCodeContext(context)));
}

export async function it_is_running() {
  // The only request of the other port that this one answers too.
  const sandbox = await Sandbox.create({ debug: true, sandboxUrl: 'http://localhost:49999' });
  assert.equal(await sandbox.isRunning(), true);
  assert.equal((await sandbox.runCode('1 + 1')).text, '2');
  await assert.rejects(sandbox.files.read('/box/x'));
}

