// Node is up and has come to what is required ahead of its script: it waits here for its run, and
// then goes on as if it had been started for it. Nothing of this is on the stack of the program.
'use strict';
const Module = require('module');

// Variables that Node, V8 or a library reads once, when it begins.
const READ_ONCE = /^(NODE_(?!ENV=)|LD_|MALLOC_|GLIBC_|LC_|LANG|ICU_|OPENSSL_|SSL_|UV_)/;

// What an interpreter has of the script that was required ahead.
const forget = () => {
  delete require.cache[__filename];
  for (const path of Object.keys(Module._pathCache)) delete Module._pathCache[path];
  Object.defineProperty(process, '_preload_modules', {
    ...Object.getOwnPropertyDescriptor(process, '_preload_modules'),
    value: [],
  });
};

// Makes `script` what is run in the end, whichever was named at the start. The function that runs it
// is called as it always is; its receiver and the frames below it are the same.
const runInstead = (script) => {
  const runMain = Object.getOwnPropertyDescriptor(Module, 'runMain');
  Object.defineProperty(Module, 'runMain', {
    configurable: true,
    enumerable: true,
    get() {
      Object.defineProperty(Module, 'runMain', runMain);
      return runMain.value.bind(Module, script);
    },
  });
};

const nameOf = (entry) => entry.slice(0, entry.indexOf('='));
const valueOf = (entry) => entry.slice(entry.indexOf('=') + 1);

const becomes = ({ argv, env }) => {
  const here = Object.entries(process.env).map(([name, value]) => `${name}=${value}`);
  const gone = here.filter((entry) => !env.includes(entry));
  const come = env.filter((entry) => !here.includes(entry));
  if (argv.length < 2 || !argv[1].startsWith('/')) return false;
  if ([...gone, ...come].some((entry) => READ_ONCE.test(entry))) return false;
  // One that has another value stays where it is among them.
  const names = new Set(env.map(nameOf));
  for (const name of gone.map(nameOf)) if (!names.has(name)) delete process.env[name];
  for (const entry of come) process.env[nameOf(entry)] = valueOf(entry);
  process.argv.splice(1, Infinity, ...argv.slice(1));
  // Where packages are looked for last depends on HOME.
  Module._initPaths();
  runInstead(argv[1]);
  return true;
};

forget();
// A worker thread of the program requires this file too.
if (require('worker_threads').isMainThread) {
  // What the first lines of a program load, and do not change by it.
  for (const name of ['net', 'tty', 'stream', 'fs']) require(name);
  const side = { exports: {} };
  process.dlopen(side, '/etc/belljar/node.so');
  const run = side.exports.wait();
  // The directory is the program's by now; Node asks for it anew.
  process.chdir('/box');
  if (becomes(run)) {
    side.exports.begin();
  } else {
    side.exports.execute();
  }
}
