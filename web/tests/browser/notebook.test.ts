// The notebook: cells in a session, what they show, what becomes of the session, files of it.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import {
  findings,
  LOOKS,
  PATIENCE,
  picture,
  Service,
  type Visit,
  visit,
  watchPauses,
} from "./harness";

let service: Service;
let guest: Visit;
let page: Page;
let mayViolate = false;

beforeAll(async () => {
  service = await Service.start("--sessions-per-caller", "64", "--sessions", "64");
});
afterAll(() => service.stop());
beforeEach(async () => {
  mayViolate = false;
  guest = await visit(service.url, "/notebook");
  page = guest.page;
});
afterEach(async () => {
  const { elsewhere, violations } = guest;
  const errors = mayViolate ? guest.errors.filter((each) => !/sandboxed/.test(each)) : guest.errors;
  await quitAll();
  await guest.end();
  expect({ elsewhere, violations: mayViolate ? [] : violations, errors }).toEqual({
    elsewhere: [],
    violations: [],
    errors: [],
  });
});

interface Seen {
  id: string;
  state: string;
}
async function sessions(): Promise<Seen[]> {
  const answer = await fetch(`${service.url}/v1/sessions`);
  return ((await answer.json()) as { sessions: Seen[] }).sessions;
}
const alive = async () => (await sessions()).filter((each) => each.state !== "ended").length;

async function quitAll(): Promise<void> {
  for (const { id, state } of await sessions()) {
    if (state !== "ended") await fetch(`${service.url}/v1/sessions/${id}`, { method: "DELETE" });
  }
}

const cell = (number: number): Locator => page.locator(".cells > .cell").nth(number - 1);
const outputs = (number: number) => cell(number).locator(".cell-outputs");
const foot = (number: number) => cell(number).locator(".cell-foot");

// Types a cell's code as if it was copied from elsewhere: the editor indents what is typed.
async function write(number: number, code: string): Promise<void> {
  await cell(number).locator(".cell-editor[data-editor=monaco]").waitFor();
  await cell(number).locator(".view-lines").click();
  await page.keyboard.press("Control+a");
  await page.evaluate((words) => navigator.clipboard.writeText(words), code);
  await page.keyboard.press("Control+v");
  const last = code.trimEnd().split("\n").at(-1)?.replace(/\s/g, "").slice(-16) ?? "";
  await expect
    .poll(async () =>
      ((await cell(number).locator(".view-lines").textContent()) ?? "").replace(/\s/g, ""),
    )
    .toContain(last);
}

async function isOver(number: number): Promise<string> {
  await page.waitForFunction(
    (at) => {
      const one = document.querySelectorAll<HTMLElement>(".cells > .cell")[at];
      const said = one?.querySelector<HTMLElement>(".cell-foot");
      return one?.dataset.activity === "idle" && said?.hidden === false;
    },
    number - 1,
    { timeout: PATIENCE },
  );
  return (await foot(number).locator("b").textContent()) ?? "";
}

async function run(number: number, code: string): Promise<string> {
  await write(number, code);
  await page.keyboard.press("Control+Enter");
  return isOver(number);
}

async function add(): Promise<void> {
  await page.click("#add-code");
}

it("runs cells in one session, which begins with the first of them", async () => {
  expect(await page.textContent("#session-state")).toBe("No session");
  expect(await alive()).toBe(0);
  expect(await run(1, "x = 20\nprint('hello')\nx + 1")).toBe("Done");
  expect(await outputs(1).locator("pre.stdout").textContent()).toBe("hello\n");
  expect(await outputs(1).locator("pre").last().textContent()).toBe("21");
  expect(await cell(1).locator(".cell-count").textContent()).toBe("[1]");
  expect(await foot(1).textContent()).toMatch(/in all.*of processor.*of memory/);
  expect(await page.textContent("#session-state")).toBe("Idle");
  expect(await page.textContent(".session-words")).toContain("Frozen until the next cell");
  await add();
  expect(await run(2, "x * 2")).toBe("Done");
  expect(await outputs(2).textContent()).toBe("40");
  expect(await cell(2).locator(".cell-count").textContent()).toBe("[2]");
  expect(await alive()).toBe(1);
});

it("shows output while the code runs", async () => {
  await write(1, "import time\nprint('first', flush=True)\nwhile True: time.sleep(0.05)");
  await page.keyboard.press("Control+Enter");
  await outputs(1).locator("text=first").waitFor();
  expect(await page.textContent("#session-state")).toBe("Running");
  expect(await cell(1).locator(".cell-count").textContent()).toBe("[*]");
  await page.click("#interrupt");
  expect(await isOver(1)).toMatch(/^Interrupted after .*; the state stays$/);
  expect(await outputs(1).textContent()).toContain("KeyboardInterrupt");
});

it("an endless loop is interrupted, and what was set stays", async () => {
  await write(1, "x = 7\nwhile True:\n    pass");
  await page.keyboard.press("Control+Enter");
  await cell(1).locator(".cell-run[aria-label='Interrupt cell 1']").waitFor();
  await expect.poll(() => page.textContent("#session-state")).toBe("Running");
  await expect.poll(async () => await foot(1).textContent()).toContain("Running");
  await cell(1).locator(".cell-run").click();
  expect(await isOver(1)).toMatch(/^Interrupted/);
  await add();
  await run(2, "x");
  expect(await outputs(2).textContent()).toBe("7");
});

it("a fresh interpreter forgets variables and keeps files", async () => {
  await run(1, "x = 1\nopen('kept.txt', 'w').write('here')");
  expect(await foot(1).textContent()).toContain("Files: kept.txt (4 bytes)");
  await page.click("#restart");
  await page.locator(".notice", { hasText: "A fresh interpreter" }).waitFor();
  await add();
  expect(await run(2, "print(open('kept.txt').read())\nx")).toBe("Failed: NameError");
  expect(await outputs(2).locator("pre.stdout").textContent()).toBe("here\n");
});

it("an error has its traceback and stops what was to come", async () => {
  await write(1, "def f():\n    return 1 / 0\nf()");
  await add();
  await write(2, "print('never')");
  await page.click("#run-all");
  expect(await isOver(1)).toBe("Failed: ZeroDivisionError");
  const words = (await outputs(1).locator("pre.error").textContent()) ?? "";
  expect(words).toContain("Traceback (most recent call last)");
  expect(words).toContain("return 1 / 0");
  expect(words).toContain("ZeroDivisionError: division by zero");
  await expect.poll(() => cell(2).getAttribute("data-activity")).toBe("idle");
  expect(await outputs(2).textContent()).toBe("");
  await picture(page, "notebook-error");
});

const TABLE = `class Frame:
    def _repr_html_(self):
        rows = ''.join(f'<tr><th>{n}</th><td>{n * n}</td><td>row {n}</td></tr>' for n in range(5))
        return f'<table><thead><tr><th></th><th>square</th><th>name</th></tr></thead><tbody>{rows}</tbody></table>'
    def __repr__(self):
        return 'a frame'
Frame()`;
const PNG = `import struct, zlib
from belljar_display import display
def chunk(kind, data):
    body = kind + data
    return struct.pack('>I', len(data)) + body + struct.pack('>I', zlib.crc32(body))
def png(width, height):
    rows = b''.join(b'\\0' + b''.join(bytes((x * 2 % 256, y * 3 % 256, 140)) for x in range(width)) for y in range(height))
    head = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    return b'\\x89PNG\\r\\n\\x1a\\n' + chunk(b'IHDR', head) + chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b'')
class Picture:
    def _repr_png_(self):
        return png(120, 80)
class Drawing:
    def _repr_svg_(self):
        return "<svg xmlns='http://www.w3.org/2000/svg' width='90' height='60'><circle cx='45' cy='30' r='25' fill='teal'/></svg>"
display(Picture())
Drawing()`;
const FORMS = `from belljar_display import display
display({'application/json': {'a': [1, 2], 'b': None}}, raw=True)
display({'text/latex': r'$\\\\frac{1}{2}$'}, raw=True)
display({'text/markdown': '## A heading\\n\\n* one\\n* **two** and \`code\`\\n\\n| a | b |\\n|---|---|\\n| 1 | 2 |'}, raw=True)
display({'application/x-strange': 'AAEC', 'text/plain': 'its text'}, raw=True)`;

const OWN_IMAGE =
  "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='7' height='7'></svg>";

const OWN_PNG = "data:image/png;base64,iVBORw0K";

const widthOf = (image: Locator) =>
  image.evaluate((each) => (each as HTMLImageElement).naturalWidth);

it("shows tables, images, JSON, formulas and Markdown as what they are", async () => {
  await run(1, TABLE);
  const frame = outputs(1).frameLocator("iframe");
  expect(await frame.locator("td").first().textContent()).toBe("0");
  expect(await outputs(1).locator("iframe").getAttribute("sandbox")).toBe("");
  await add();
  await run(2, PNG);
  const images = outputs(2).locator("img");
  await expect.poll(() => images.count()).toBe(2);
  await expect.poll(() => widthOf(images.nth(0))).toBe(120);
  await expect.poll(() => widthOf(images.nth(1))).toBe(90);
  expect(await page.locator(".cell-outputs svg").count()).toBe(0);
  await add();
  await run(3, FORMS);
  const shown = outputs(3);
  expect(await shown.locator("pre").nth(0).textContent()).toContain('"a": [');
  expect(await shown.locator("pre.latex").textContent()).toContain("frac{1}{2}");
  expect(await shown.locator(".prose h3").textContent()).toBe("A heading");
  expect(await shown.locator(".prose li").count()).toBe(2);
  expect(await shown.locator(".prose td").count()).toBe(2);
  expect(await shown.locator("pre").last().textContent()).toBe("its text");
  await page.click("#add-markdown");
  await write(4, "# A title\n\nSome *words* and a [link](https://example.org).");
  await page.keyboard.press("Control+Enter");
  expect(await cell(4).locator(".prose h2").textContent()).toBe("A title");
  await cell(1).scrollIntoViewIfNeeded();
  await picture(page, "notebook-forms", true);
});

it("Markdown is read as elsewhere, links go to web pages only, pictures are links", async () => {
  const words = [
    "Title\n=====\n",
    "1. one\n   * two\n     > three\n2. [ref] and **a *b* c** and ~~d~~, `x*y*z`\n",
    "| a | b |\n|:-:|--:|\n| 1 | `2|3` | 4 |\n",
    "$a*b*c$ and \\*, from $5 to $6 *now*; $$\n\\\\{d\\\\}\n$$\n",
    "```python\nx = '<b>'\n```\n",
    "<https://example.org/auto> <me@example.org> [mail](mailto:me@example.org)",
    "![seen](http://192.0.2.1/x.png) [![inside](http://192.0.2.1/y.png)](https://example.org/in)",
    `![own](${OWN_PNG}) ![kept](attachment:a.png)`,
    ...[
      "javascript:alert(1)",
      "JaVaScRiPt:1",
      "&#106;avascript:1",
      "data:text/html,x",
      "vbscript:1",
    ].map((address) => `[evil](${address}) <${address}>`),
    "[here](/v1/sessions) [there](//192.0.2.1/) [part](#part) [f](file:///etc/passwd)",
    '[quoted](https://example.org/"onclick="x "t\\" onclick=x")',
    "<b onclick=x>bold</b> <!-- no --> <svg/onload=x>\n\n<script>\nx\n</script>\n",
    "\n[ref]: https://example.org/ref 'title'\n",
  ].join("\n");
  await open("words.ipynb", { nbformat: 4, cells: [{ cell_type: "markdown", source: words }] });
  const prose = cell(1).locator(".prose");
  expect(await prose.locator("h2").textContent()).toBe("Title");
  expect(await prose.locator("ol > li > ul > li > blockquote").textContent()).toMatch(/^\s*three/);
  expect(await prose.locator("strong > em").textContent()).toBe("b");
  expect(await prose.locator("s").textContent()).toBe("d");
  expect(await prose.locator("td").count()).toBe(2);
  expect(await prose.locator(".table-frame th").nth(1).getAttribute("style")).toBe(
    "text-align:right",
  );
  expect(await prose.locator("code.formula").allTextContents()).toEqual([
    "$a*b*c$",
    "$$\n\\\\{d\\\\}\n$$",
  ]);
  expect(await prose.textContent()).toContain("and *, from $5 to $6 now;");
  expect(await prose.locator("pre").textContent()).toBe("x = '<b>'");
  const links = await prose
    .locator("a")
    .evaluateAll((all) => all.map((each) => [each.textContent, each.getAttribute("href")]));
  expect(links).toEqual([
    ["ref", "https://example.org/ref"],
    ["https://example.org/auto", "https://example.org/auto"],
    ["me@example.org", "mailto:me@example.org"],
    ["mail", "mailto:me@example.org"],
    ["picture: seen", "http://192.0.2.1/x.png"],
    ["picture: inside", "https://example.org/in"],
    ["quoted", "https://example.org/%22onclick=%22x"],
  ]);
  const others =
    'a:not([rel="noopener noreferrer"][target="_blank"]), a a, [onclick], [title], [src]';
  expect(await prose.locator(others).count()).toBe(0);
  expect(await prose.locator("img, b, svg, script").count()).toBe(0);
  expect(await prose.textContent()).toContain("<b onclick=x>bold</b>");
  expect(await prose.textContent()).toContain("picture: own picture: kept");
});

it("HTML that means ill runs nothing, reaches nothing and goes nowhere", async () => {
  mayViolate = true; // its attempts are what the policies are for
  const evil =
    "<h1>still shown</h1><script>parent.document.title='owned'</script>" +
    `<img id=own src="${OWN_IMAGE}"><img src='http://192.0.2.1/x.png'>` +
    `<img src='${service.url}/v1/sessions'>` +
    "<img src=x onerror=\"parent.postMessage('owned','*')\">" +
    "<meta http-equiv=refresh content='0;url=http://192.0.2.1/'>" +
    "<form action='http://192.0.2.1/'><button>send</button></form><iframe src='http://192.0.2.1/'></iframe>" +
    "<link rel=stylesheet href='http://192.0.2.1/x.css'><a href='http://192.0.2.1/' target=_top>go</a>" +
    "<svg onload=\"parent.document.title='owned'\"></svg>";
  // What the browser stops is told as a request too, but never answered.
  const answered: string[] = [];
  guest.context.on("response", (response) => {
    answered.push(`${response.request().method()} ${response.url()}`);
  });
  await page.evaluate(() => {
    const marks = window as unknown as { messages: unknown[] };
    marks.messages = [];
    addEventListener("message", (event) => {
      if (event.data === "owned") marks.messages.push(event.data);
    });
  });
  await run(1, `from belljar_display import HTML\nHTML(${JSON.stringify(evil)})`);
  const frame = outputs(1).frameLocator("iframe");
  expect(await frame.locator("h1").textContent()).toBe("still shown");
  // What the document brings itself is shown: it is the addresses that are refused.
  await expect.poll(() => widthOf(frame.locator("#own"))).toBe(7);
  await frame.locator("a").click();
  await page.waitForTimeout(1000);
  expect(await page.title()).toBe("Notebook · Belljar");
  expect(page.url()).toBe(`${service.url}/notebook`);
  expect(
    await page.evaluate(() => (window as unknown as { messages: unknown[] }).messages),
  ).toEqual([]);
  expect(answered).toContain(`POST ${service.url}/v1/sessions`);
  expect(answered).not.toContain(`GET ${service.url}/v1/sessions`);
  guest.elsewhere.splice(
    0,
    guest.elsewhere.length,
    ...guest.elsewhere.filter((address) => !address.startsWith("http://192.0.2.1/")),
  );
  await picture(page, "notebook-hostile");
});

it("text, Markdown and errors that look like markup are text", async () => {
  const evil =
    "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>";
  await run(
    1,
    `from belljar_display import Markdown, display\nevil = ${JSON.stringify(evil)}\nprint(evil)\n` +
      "display(Markdown(evil + ' [a](javascript:alert(1)) ![b](http://192.0.2.1/x.png) # <b>x</b>'))\n" +
      "raise ValueError(evil)",
  );
  expect(await outputs(1).locator("pre.stdout").textContent()).toContain("<script>");
  expect(await outputs(1).locator(".prose").textContent()).toContain("<img src=x");
  expect(await outputs(1).locator("pre.error").textContent()).toContain("ValueError: <img");
  expect(await outputs(1).locator("img, script, b").count()).toBe(0);
  expect(await outputs(1).locator("a[href^='javascript']").count()).toBe(0);
  expect(await page.title()).toBe("Notebook · Belljar");
});

it("a script in an image runs nowhere, and what is no image is not shown as one", async () => {
  const svg =
    "<svg xmlns='http://www.w3.org/2000/svg' width='40' height='40' onload=\"document.title='owned'\">" +
    "<script>top.document.title='owned'</script><rect width='40' height='40'/></svg>";
  await run(
    1,
    `from belljar_display import display\ndisplay({'image/svg+xml': ${JSON.stringify(svg)}}, raw=True)\n` +
      "display({'image/png': 'PGI+eDwvYj4=', 'text/plain': 'no image'}, raw=True)",
  );
  await expect.poll(() => widthOf(outputs(1).locator("img"))).toBe(40);
  expect(await outputs(1).locator("img").count()).toBe(1);
  expect(await outputs(1).locator("pre").last().textContent()).toBe("no image");
  expect(await page.title()).toBe("Notebook · Belljar");
});

it("escapes of a terminal colour the text and do nothing else", async () => {
  await run(
    1,
    String.raw`import sys
w = sys.stdout.write
w("\x1b[31mred\x1b[0m plain\n\x1b]0;owned\x07\x1b]8;;http://192.0.2.1/\x1b\\press\x1b]8;;\x1b\\\n")
w("\x1b]52;c;c3RvbGVu\x07\x1b[21t\x1b[2J10%\r100%\nafter\n")`,
  );
  const shown = outputs(1).locator("pre.stdout");
  expect(await shown.textContent()).toBe("red plain\npress\n100%\nafter\n");
  expect(await shown.locator("span.a-1").textContent()).toBe("red");
  expect(await shown.locator("a").count()).toBe(0);
  expect(await page.evaluate(() => navigator.clipboard.readText())).not.toBe("stolen");
  expect(await page.title()).toBe("Notebook · Belljar");
});

it("a flood of output is bounded, and the page answers meanwhile", async () => {
  const longestPause = await watchPauses(page);
  expect(await run(1, "while True:\n    print('x' * 99, flush=True)")).toBe(
    "Stopped: it wrote more than 1 MiB; the state stays",
  );
  const longest = await longestPause();
  console.log(`longest pause of the notebook in a flood: ${Math.round(longest)} ms`);
  const text = (await outputs(1).locator("pre.stdout").textContent()) ?? "";
  expect(text.length).toBeGreaterThan(50_000);
  expect(text.length).toBeLessThan(200_000);
  expect(text).toMatch(/… [\d,]+ characters are left out …/);
});

it("too much memory ends the session, and the page says so", async () => {
  await run(1, "x = 1");
  await add();
  expect(await run(2, "y = b'x' * (1 << 30)")).toMatch(
    /^The session ended: its memory was over \(memory over 256/,
  );
  expect(await page.textContent("#session-state")).toBe("Ended");
  expect(await page.textContent("#session-ended")).toMatch(
    /The session has ended: memory over 256.*Its variables and files are gone/,
  );
  await picture(page, "notebook-ended");
  // Nothing goes on in another session as if nothing had been.
  await cell(1).locator(".cell-run").click();
  expect(await alive()).toBe(0);
  await page.click("#new-session");
  await expect.poll(() => page.textContent("#session-state")).toBe("Idle");
  expect(await page.locator("#session-ended").isHidden()).toBe(true);
  expect(await run(2, "x")).toBe("Failed: NameError");
});

it("a session that ended meanwhile is told of, with its reason", async () => {
  await run(1, "1");
  await quitAll();
  await page.reload();
  await page.locator("#session-ended", { hasText: "The session has ended" }).waitFor();
  expect(await outputs(1).textContent()).toBe("1");
});

it("what the kernel refused is named with the cost", async () => {
  await run(
    1,
    "import os\ntry:\n    os.mkdir('d'); os.mknod('x', 0o20600, 1)\nexcept OSError as e: print(e)\nimport ctypes\nctypes.CDLL(None).mount(b'a', b'/box/d', b'tmpfs', 0, 0)",
  );
  expect(await foot(1).textContent()).toMatch(/refused by the kernel: .*mount 1 time/);
});

it("code that ends its interpreter has a fresh one the next time", async () => {
  expect(await run(1, "x = 1\nimport os\nos._exit(3)")).toBe(
    "The interpreter ended itself with exit code 3; the next cell has a fresh one",
  );
  await add();
  expect(await run(2, "x")).toBe("Failed: NameError");
});

it("a session that is paused runs no cell until it is resumed, and has its state then", async () => {
  await run(1, "x = 3");
  await page.click("#pause");
  await expect.poll(() => page.textContent("#session-state")).toBe("Paused");
  expect((await sessions()).filter((each) => each.state === "paused").length).toBe(1);
  await picture(page, "notebook-paused");
  expect(await findings(page)).toEqual([]);
  await add();
  await write(2, "x");
  await page.keyboard.press("Control+Enter");
  await page.waitForFunction(() => document.activeElement?.id === "pause");
  expect(await outputs(2).textContent()).toBe("");
  await page.reload();
  await expect.poll(() => page.textContent("#session-state")).toBe("Paused");
  await page.locator("#pause", { hasText: "Resume" }).click();
  await expect.poll(() => page.textContent("#session-state")).toBe("Idle");
  await run(2, "x");
  expect(await outputs(2).textContent()).toBe("3");
});

it("quits: no session is left, and the next cell begins another", async () => {
  await run(1, "x = 1");
  expect(await alive()).toBe(1);
  await page.click("#quit");
  await expect.poll(() => page.textContent("#session-state")).toBe("No session");
  expect(await alive()).toBe(0);
  await add();
  expect(await run(2, "x")).toBe("Failed: NameError");
  expect(await alive()).toBe(1);
});

it("quits while something runs", async () => {
  await write(1, "import time\nprint('go', flush=True)\nwhile True: time.sleep(1)");
  await page.keyboard.press("Control+Enter");
  await outputs(1).locator("text=go").waitFor();
  await page.click("#quit");
  await expect
    .poll(() => page.textContent("#session-state"), { timeout: PATIENCE })
    .toBe("No session");
  expect(await isOver(1)).toMatch(/session/);
  expect(await alive()).toBe(0);
});

it("a page that is loaded anew has its cells and finds its session", async () => {
  await run(1, "x = 5\nx");
  await add();
  await write(2, "x + 1");
  await page.reload();
  expect(await outputs(1).textContent()).toBe("5");
  expect(await foot(1).textContent()).toMatch(/^Done.*of memory/);
  await expect.poll(() => page.textContent("#session-state")).toBe("Idle");
  await run(2, "x + 1");
  expect(await outputs(2).textContent()).toBe("6");
  expect(await alive()).toBe(1);
});

it("a page that is loaded anew in mid-execution goes on with it", async () => {
  await write(
    1,
    "import time\nfor i in range(1, 13):\n    print('number', i, flush=True)\n    time.sleep(0.25)\nx = 9",
  );
  await page.keyboard.press("Control+Enter");
  await outputs(1).locator("text=number 3").waitFor();
  await page.reload();
  await page.waitForFunction(
    () => document.querySelector<HTMLElement>(".cell")?.dataset.activity === "running",
  );
  await picture(page, "notebook-reloaded");
  expect(await isOver(1)).toBe("Done");
  const numbers = [...((await outputs(1).textContent()) ?? "").matchAll(/number (\d+)/g)];
  expect(numbers.map((each) => Number(each[1]))).toEqual(
    Array.from({ length: 12 }, (_, index) => index + 1),
  );
  await add();
  await run(2, "x");
  expect(await outputs(2).textContent()).toBe("9");
});

// ---- Files ----

async function open(name: string, content: string | object): Promise<void> {
  const path = join(service.folder, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  await page.setInputFiles("#notebook-file", path);
}

it("saves a notebook and opens it again", async () => {
  await run(1, "print('out')\n6 * 7");
  await page.click("#add-markdown");
  await write(2, "# Words");
  await page.keyboard.press("Control+Enter");
  await page.fill("#notebook-name", "mine");
  const loading = page.waitForEvent("download");
  await page.click("#save");
  const saved = await loading;
  expect(saved.suggestedFilename()).toBe("mine.ipynb");
  const content = readFileSync(await saved.path(), "utf8");
  const file = JSON.parse(content);
  expect([file.nbformat, file.nbformat_minor, file.metadata.kernelspec.name]).toEqual([
    4,
    5,
    "python3",
  ]);
  expect(file.cells.map((each: { cell_type: string }) => each.cell_type)).toEqual([
    "code",
    "markdown",
  ]);
  expect(file.cells[0].outputs[1]).toMatchObject({
    output_type: "execute_result",
    execution_count: 1,
  });
  await page.click("#new");
  await expect.poll(() => page.locator(".cells > .cell").count()).toBe(1);
  await expect.poll(alive).toBe(0);
  await open("mine.ipynb", content);
  await expect.poll(() => page.locator(".cells > .cell").count()).toBe(2);
  expect(await outputs(1).locator("pre").first().textContent()).toBe("out\n");
  expect(await outputs(1).locator("pre").last().textContent()).toBe("42");
  expect(await cell(1).locator(".cell-count").textContent()).toBe("[1]");
  expect(await cell(2).locator(".prose h2").textContent()).toBe("Words");
  expect(await page.inputValue("#notebook-name")).toBe("mine");
  expect(await page.textContent("#session-state")).toBe("No session");
});

it("what is no notebook is refused with what is wrong, and nothing is lost", async () => {
  await write(1, "precious = 1");
  await open("bad.ipynb", { nbformat: 4, cells: [{ cell_type: "code", source: 7 }] });
  await page
    .locator(".notice.bad", {
      hasText: "bad.ipynb cannot be opened: cells[0].source: must be a text or a list of texts",
    })
    .waitFor();
  await open("many.ipynb", {
    nbformat: 4,
    cells: new Array(1001).fill({ cell_type: "raw", source: "" }),
  });
  await page
    .locator(".notice.bad", { hasText: "cells: has 1,001 entries; at most 1,000" })
    .waitFor();
  await open("large.ipynb", " ".repeat(16 * 1024 * 1024 + 1));
  await page.locator(".notice.bad", { hasText: "a notebook may have 16 MiB" }).waitFor();
  expect(await cell(1).locator(".view-lines").textContent()).toMatch(/precious/);
});

it("a hostile notebook runs nothing when it is opened", async () => {
  mayViolate = true;
  const evil =
    "<script>parent.document.title='owned'</script><img src=x onerror=\"parent.postMessage('owned','*')\"><p>frame</p>";
  await open("evil.ipynb", {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: { kernelspec: { name: "julia", language: "julia" } },
    cells: [
      {
        cell_type: "code",
        id: "a",
        source: "1",
        outputs: [
          { output_type: "display_data", data: { "text/html": evil }, metadata: {} },
          {
            output_type: "display_data",
            data: { "application/javascript": "document.title='owned'" },
            metadata: {},
          },
          {
            output_type: "display_data",
            data: { "image/svg+xml": `<svg onload="${evil}">` },
            metadata: {},
          },
          { output_type: "error", ename: "E", evalue: evil, traceback: [`\u001b[31m${evil}`] },
        ],
      },
      {
        cell_type: "markdown",
        id: "b",
        source: `${evil} [x](javascript:alert(1)) <iframe src="/">`,
      },
      { cell_type: "raw", id: "c", source: evil },
    ],
  });
  await page
    .locator(".notice", { hasText: "It is in julia; its cells are run as Python" })
    .waitFor();
  expect(await outputs(1).frameLocator("iframe").locator("p").textContent()).toBe("frame");
  expect(await outputs(1).locator("script, img[onerror]").count()).toBe(0);
  expect(await outputs(1).textContent()).toContain(
    "This page does not show application/javascript",
  );
  expect(await cell(2).locator(".prose script, .prose img, .prose iframe, .prose a").count()).toBe(
    0,
  );
  await page.waitForTimeout(300);
  expect(await page.title()).toBe("Notebook · Belljar");
  expect(await alive()).toBe(0);
  await page.click("#undo");
  await expect.poll(() => page.locator(".cells > .cell").count()).toBe(1);
});

it("a text that is made to be slow is drawn like another", async () => {
  const text = (source: string) => ({ cell_type: "markdown", source });
  const slow = [
    "a\n".repeat(90_000),
    "*".repeat(190_000),
    "*a ".repeat(60_000),
    "[".repeat(190_000),
    `[a](${" ".repeat(190_000)}`,
    `# ${" ".repeat(90_000)}x${"#".repeat(90_000)}x`,
    "> ".repeat(90_000),
    "- ".repeat(90_000),
    `|a\n${" ".repeat(90_000)}-${" ".repeat(90_000)}x`,
    "`".repeat(190_000),
    `${"* a\n".repeat(40_000)}`,
    "<http://".repeat(20_000),
    "![".repeat(90_000),
    `${"[".repeat(6000)}a${"](b)".repeat(3000)}`,
    `${"|a".repeat(30_000)}\n${"|-".repeat(30_000)}\n${"|\n".repeat(40_000)}`,
    "[a]: b 'c\n".repeat(18_000),
    "$a ".repeat(60_000),
    "$$".repeat(90_000),
  ];
  const flood = { output_type: "display_data", data: { "text/html": "<".repeat(3_000_000) } };
  const cells = [
    ...slow.map(text),
    { cell_type: "code", source: "", outputs: [flood] },
    text("# The end"),
  ];
  await open("slow.ipynb", { nbformat: 4, cells });
  await expect.poll(() => page.locator(".cells > .cell").count()).toBe(slow.length + 2);
  expect(await page.locator(".prose h2", { hasText: "The end" }).count()).toBe(1);
});

// ---- Without a mouse ----

it("everything goes by the keyboard", async () => {
  await cell(1).locator(".cell-editor[data-editor=monaco]").waitFor();
  await cell(1).focus();
  await page.keyboard.press("Enter");
  await page.keyboard.type("a = 1");
  await page.keyboard.press("Shift+Enter"); // runs it, and makes one more
  await expect.poll(() => page.locator(".cells > .cell").count()).toBe(2);
  expect(await isOver(1)).toBe("Done");
  await cell(2).locator(".cell-editor[data-editor=monaco]").waitFor();
  await expect
    .poll(() => cell(2).evaluate((each) => each.contains(document.activeElement)))
    .toBe(true);
  await page.keyboard.type("a + 1");
  await page.keyboard.press("Control+Enter");
  await isOver(2);
  expect(await outputs(2).textContent()).toBe("2");
  await page.keyboard.press("Escape");
  await expect.poll(() => cell(2).evaluate((each) => each === document.activeElement)).toBe(true);
  await page.keyboard.press("Alt+ArrowUp");
  await expect.poll(() => outputs(1).textContent()).toBe("2");
  expect(await cell(1).evaluate((each) => each === document.activeElement)).toBe(true);
  await page.keyboard.press("ArrowDown");
  expect(await cell(2).evaluate((each) => each === document.activeElement)).toBe(true);
  await page.keyboard.press("b");
  await expect.poll(() => page.locator(".cells > .cell").count()).toBe(3);
  await page.keyboard.press("Escape");
  await page.keyboard.press("m");
  expect(await cell(3).getAttribute("data-kind")).toBe("markdown");
  await page.keyboard.press("y");
  expect(await cell(3).getAttribute("data-kind")).toBe("code");
  await page.keyboard.press("Delete");
  await expect.poll(() => page.locator(".cells > .cell").count()).toBe(2);
  await page.locator("#undo").focus();
  await page.keyboard.press("Enter");
  await expect.poll(() => page.locator(".cells > .cell").count()).toBe(3);
  // What the cell offers by mouse can be reached too.
  await cell(3).focus();
  await page.keyboard.press("Tab");
  expect(await page.evaluate(() => document.activeElement?.getAttribute("aria-label"))).toBe(
    "Run cell 3",
  );
});

it("cells are added, moved and taken away by the mouse", async () => {
  await write(1, "one");
  await cell(1).hover();
  await cell(1).getByRole("button", { name: "Add code below" }).click();
  await write(2, "two");
  await cell(2).getByRole("button", { name: "Move up" }).click();
  await expect.poll(() => cell(1).locator(".view-lines").textContent()).toBe("two");
  await cell(2).hover();
  await cell(2).getByRole("button", { name: "Delete" }).click();
  await expect.poll(() => page.locator(".cells > .cell").count()).toBe(1);
  await page.click("#undo");
  await expect.poll(() => cell(2).locator(".view-lines").textContent()).toBe("one");
});

// ---- How it looks ----

for (const [name, look] of LOOKS) {
  it(`is sound and looks well: ${name}`, async () => {
    await guest.end();
    guest = await visit(service.url, "/notebook", look);
    page = guest.page;
    const phone = "phone" in look;
    const put = async (number: number, code: string) => {
      if (!phone) return write(number, code);
      await cell(number).locator("textarea").fill(code);
    };
    const clean = async (what: string) => expect(await findings(page), what).toEqual([]);
    await cell(1).waitFor();
    if (!phone) await cell(1).locator(".cell-editor[data-editor=monaco]").waitFor();
    await picture(page, `notebook-${name}-start`);
    await clean("start");
    await put(1, TABLE);
    await page.click("#add-markdown");
    await put(
      2,
      "# Squares\n\nWhat *comes* of `n * n`, with a [link](https://example.org):\n\n1. first\n2. second\n\n```\ncode\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |",
    );
    await add();
    await put(3, PNG);
    await add();
    await put(
      4,
      "import sys\nprint('\\x1b[32mgreen\\x1b[0m \\x1b[1;34mblue\\x1b[0m \\x1b[7mturned\\x1b[0m \\x1b[33;2mfaint\\x1b[0m')\nprint('to stderr', file=sys.stderr)\n{}['key']",
    );
    await page.click("#run-all");
    await isOver(4);
    await expect.poll(() => outputs(3).locator("img").count()).toBe(2);
    await page.evaluate(() => document.querySelector("#sheet")?.scrollTo(0, 0));
    await page.evaluate(() => scrollTo(0, 0));
    await picture(page, `notebook-${name}`, phone);
    await clean("run");
    if (!phone) {
      await page.evaluate(() => document.querySelector("#sheet")?.scrollTo(0, 99999));
      await picture(page, `notebook-${name}-end`);
    } else {
      expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(
        true,
      );
    }
    await put(4, "x = b'x' * (1 << 30)");
    await cell(4).locator(".cell-run").click();
    await page.locator("#session-ended:visible").waitFor();
    await picture(page, `notebook-${name}-ended`);
    await clean("ended");
  });
}
