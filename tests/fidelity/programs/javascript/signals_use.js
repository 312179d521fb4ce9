const { spawn } = require("node:child_process");

const caught = (name) =>
  new Promise((resolve) => {
    process.once(name, () => {
      console.log("caught", name);
      resolve();
    });
    process.kill(process.pid, name);
  });

// A signal handler alone does not keep Node going.
const alive = setInterval(() => {}, 1000);

(async () => {
  await caught("SIGHUP");
  await caught("SIGINT");
  await new Promise((resolve) => setTimeout(resolve, 10));
  console.log("the timer fired");
  const child = spawn("sleep", ["60"]);
  child.on("exit", (code, signal) => {
    const number = require("node:os").constants.signals[signal];
    console.log("a child without a handler ended by signal", number);
    clearInterval(alive);
  });
  child.kill();
})();
