const { fork } = require("node:child_process");

if (process.argv[2] === undefined) {
  let sum = 0;
  const ids = new Set([process.pid]);
  const done = [0, 1, 2, 3].map(
    (number) =>
      new Promise((resolve) => {
        const worker = fork(__filename, [String(number)]);
        worker.on("message", (part) => (sum += part));
        worker.on("exit", resolve);
        ids.add(worker.pid);
      }),
  );
  Promise.all(done).then(() => {
    console.log(`${done.length} processes summed squares to ${sum}`);
    if (ids.size === 5) console.log("every process had an id of its own");
  });
} else {
  let part = 0;
  for (let n = Number(process.argv[2]); n < 10; n += 4) part += n * n;
  process.send(part);
}
