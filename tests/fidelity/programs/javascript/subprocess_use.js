const { spawn, spawnSync } = require("node:child_process");

console.log("child said", spawnSync("tr", ["a-z", "A-Z"], { input: "hello" }).stdout.toString());
console.log("child exited with", spawnSync("sh", ["-c", "exit 7"]).status);
const child = spawn("sleep", ["60"]);
child.on("exit", (code, signal) => {
  console.log("child ended by signal", require("node:os").constants.signals[signal]);
});
child.kill("SIGTERM");
