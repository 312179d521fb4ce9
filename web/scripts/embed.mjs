// Packs what Vite made and writes the list of it that src/api/playground_files.cpp includes. The
// digests make the list another one whenever a file is, also for the compiler's cache.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const dist = new URL("../dist/", import.meta.url).pathname;
const types = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
  woff2: "font/woff2",
  ttf: "font/ttf",
};

const files = [
  "index.html",
  ...readdirSync(join(dist, "web"))
    .sort()
    .map((name) => `web/${name}`),
];
let arrays = "";
let list = "";
let plainBytes = 0;
let sentBytes = 0;
let firstBytes = 0;
const page = readFileSync(join(dist, "index.html"), "utf8");
files.forEach((path, index) => {
  const name = path.replace(/^web\//, "");
  const type = types[name.split(".").pop()];
  if (type === undefined) throw new Error(`no media type is known for ${name}`);
  const content = readFileSync(join(dist, path));
  const packed = gzipSync(content, { level: 9 });
  const gains = packed.length < content.length * 0.95;
  plainBytes += content.length;
  const sent = gains ? packed.length : content.length;
  sentBytes += sent;
  // What the page asks for before a key can be typed.
  if (path === "index.html" || page.includes(name)) firstBytes += sent;
  const digest = createHash("sha256").update(content).digest("hex");
  arrays += `// ${digest}\nconstexpr char kPlain${index}[] = {\n#embed <dist/${path}>\n};\n`;
  if (gains) {
    writeFileSync(join(dist, `${path}.gz`), packed);
    arrays += `constexpr char kGzip${index}[] = {\n#embed <dist/${path}.gz>\n};\n`;
  }
  const view = (array) => `std::string_view(${array}, sizeof ${array})`;
  const gzip = gains ? view(`kGzip${index}`) : "std::string_view()";
  list += `    {"${name}", "${type}", ${view(`kPlain${index}`)}, ${gzip}},\n`;
});
mkdirSync(join(dist, "include/generated"), { recursive: true });
writeFileSync(
  join(dist, "include/generated/playground.inc"),
  `${arrays}constexpr PlaygroundFile kPlaygroundFiles[] = {\n${list}};\n`,
);
const kib = (bytes) => `${Math.round(bytes / 1024)} KiB`;
const line =
  `${files.length} files, ${kib(plainBytes)}, ${kib(sentBytes)} packed; ` +
  `the page itself ${kib(firstBytes)} packed`;
writeFileSync(join(dist, "size.txt"), `${line}\n`);
console.log(`bundle: ${line}`);
