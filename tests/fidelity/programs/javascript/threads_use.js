const { Worker, isMainThread, workerData } = require("node:worker_threads");

if (isMainThread) {
  const shared = new SharedArrayBuffer(4);
  const joined = [0, 1, 2, 3].map(
    (number) =>
      new Promise((resolve) => {
        new Worker(__filename, { workerData: shared }).on("exit", () => resolve(number));
      }),
  );
  Promise.all(joined).then((names) => {
    console.log(`${names.length} threads counted to ${new Int32Array(shared)[0]}`);
    console.log("joined", ...names);
  });
} else {
  const count = new Int32Array(workerData);
  for (let i = 0; i < 1000; ++i) Atomics.add(count, 0, 1);
}
