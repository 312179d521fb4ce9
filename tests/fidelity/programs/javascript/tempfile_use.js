const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

const make = () => fs.mkdtempSync(path.join(os.tmpdir(), "fidelity-"));
const [one, other] = [make(), make()];
const file = path.join(one, "file");
fs.writeFileSync(file, "hello");
console.log("wrote and read back", fs.readFileSync(file).length, "bytes");
if (one !== other) console.log("two names differ");
fs.rmSync(one, { recursive: true });
if (!fs.existsSync(file)) console.log("gone after removal");
