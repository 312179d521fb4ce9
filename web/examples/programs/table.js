const { writeFileSync } = require("node:fs");

const rows = [["n", "square", "cube"]];
for (let n = 1; n <= 12; ++n) rows.push([n, n ** 2, n ** 3]);
writeFileSync("powers.csv", rows.map((row) => row.join(",")).join("\n"));
console.table(rows.slice(1).map(([n, square, cube]) => ({ n, square, cube })));
