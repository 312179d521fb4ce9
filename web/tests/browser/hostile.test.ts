// Programs that mean the page ill, and the runs that people are afraid of.
import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import {
  ending,
  example,
  picture,
  run,
  runIt,
  Service,
  shown,
  shows,
  type Visit,
  visit,
  watchPauses,
  write,
} from "./harness";

let service: Service;
let guest: Visit;
let mayViolate = false;

beforeAll(async () => {
  service = await Service.start();
});
afterAll(() => service.stop());
beforeEach(async () => {
  mayViolate = false;
  guest = await visit(service.url);
});
afterEach(async () => {
  const { elsewhere, violations } = guest;
  // The browser writes down what it stops.
  const errors = mayViolate ? guest.errors.filter((each) => !/sandboxed/.test(each)) : guest.errors;
  await guest.end();
  expect({ elsewhere, violations: mayViolate ? [] : violations, errors }).toEqual({
    elsewhere: [],
    violations: [],
    errors: [],
  });
});

it("an endless loop is stopped, and the page says why", async () => {
  const { page } = guest;
  await example(page, "python", "Endless loop");
  await run(page);
  expect(await ending(page)).toMatch(
    /^Stopped: it (ran longer than 2 s|used more than .* of processor time)$/,
  );
  await picture(page, "endless-loop");
});

it("a fork bomb hits its wall, and the page says what it was", async () => {
  const { page } = guest;
  await example(page, "python", "Fork bomb");
  await run(page);
  expect(await ending(page)).toMatch(/^(Stopped|Ended|Failed)/);
  expect(await page.textContent(".notes")).toMatch(
    /It wanted more than 64 processes at once and was refused [\d,]+ times?: what a fork bomb does\./,
  );
  await picture(page, "fork-bomb");
});

it("too much memory is stopped with the limit named", async () => {
  const { page } = guest;
  await example(page, "python", "Too much memory");
  await run(page);
  expect(await ending(page)).toBe("Stopped: it used more than 256 MiB of memory");
});

it("a flood of output does not freeze the page, and can be had whole", async () => {
  const { page } = guest;
  await write(page, "while True:\n    print('x' * 99)\n");
  await page.fill("#limit-output", "8M");
  await page.fill("#limit-wall", "60s");
  const longestPause = await watchPauses(page);
  await page.click("#run");
  expect(await ending(page)).toBe("Stopped: it wrote more than 8 MiB of output");
  // Whether it answers while it draws, not how fast this machine is.
  const longest = await longestPause();
  console.log(`longest pause of the page in a flood: ${Math.round(longest)} ms`);
  await page.click(".segments button:has-text('stdout')");
  expect((await page.textContent(".plain"))?.length).toBeGreaterThan(100_000);
  const loading = page.waitForEvent("download");
  await page.click("#download-stdout");
  expect(readFileSync(await (await loading).path()).length).toBeGreaterThanOrEqual(8 * 1024 * 1024);
  await picture(page, "flood");
});

it("escapes of a terminal colour it and do nothing else", async () => {
  const { page } = guest;
  const title = await page.title();
  await write(
    page,
    String.raw`import base64, sys, time
w = sys.stdout.write
w("\x1b[31mred\x1b[0m plain\n")
w("\x1b]0;owned\x07\x1b]2;owned\x1b\\")
w("\x1b]8;;http://192.0.2.1/evil\x1b\\press here\x1b]8;;\x1b\\\n")
w("\x1b]52;c;" + base64.b64encode(b"stolen").decode() + "\x07")
w("\x1b]1337;File=inline=1:AAAA\x07\x1b[21t\x1b[c\x1b[6n\x1bP$qm\x1b\\")
w("\x9b31m \u202e right to left \u202c\n")
w("after\n")
`,
  );
  await run(page);
  expect(await ending(page)).toMatch(/^Ended/);
  await shows(page, "press here");
  await shows(page, "after");
  expect(await page.title()).toBe(title);
  expect(await page.locator("#screen a").count()).toBe(0);
  const link = page.locator("#screen .xterm-rows > div", { hasText: "press here" }).first();
  const box = await link.boundingBox();
  if (box === null) throw new Error("the line cannot be seen");
  await page.mouse.click(box.x + 20, box.y + box.height / 2);
  expect(guest.context.pages().length).toBe(1);
  expect(await page.evaluate(() => navigator.clipboard.readText())).not.toBe("stolen");
  await picture(page, "escapes");
});

it("what a terminal is asked by a program is not typed back as a command", async () => {
  const { page } = guest;
  await write(
    page,
    String.raw`import select, sys
sys.stdout.write("\x1b[21t\x1bP$qm\x1b\\\x1bP+q544e\x1b\\\x1b]52;c;?\x07\x1b]10;?\x07ready\n")
sys.stdout.flush()
print("came" if select.select([sys.stdin], [], [], 2)[0] else "silence")
`,
  );
  await run(page);
  await shows(page, /silence|came/);
  expect(await shown(page)).toContain("silence");
});

it("markup in the output is text", async () => {
  const { page } = guest;
  const evil =
    "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script><b>bold</b>";
  expect(
    await runIt(
      page,
      `import sys\nprint(${JSON.stringify(evil)})\nsys.exit(${JSON.stringify(evil)})\n`,
    ),
  ).toMatch(/^Failed/);
  await shows(page, "<img src=x");
  for (const view of ["stdout", "stderr"]) {
    await page.click(`.segments button:has-text('${view}')`);
    expect(await page.textContent(".plain")).toContain("<script>");
  }
  expect(await page.locator("#right img, #right b:text('bold'), #right script").count()).toBe(0);
  expect(await page.title()).toBe("Belljar");
});

it("markup in names and messages is text", async () => {
  const { page } = guest;
  await runIt(
    page,
    `open("<img src=x onerror=alert(1)>.txt", "w").write("<b>hi</b>")\nopen("t.csv", "w").write("a,<img src=x>\\n<script>1</script>,2\\n")\nraise ValueError("<img src=x>")\n`,
  );
  await page.waitForSelector(".artifact td");
  expect(await page.locator(".artifacts img").count()).toBe(0);
  expect(await page.locator(".artifact td").first().textContent()).toBe("<script>1</script>");
  expect(await page.textContent(".problems")).toContain("ValueError: <img src=x>");
  expect(await page.locator(".problems img").count()).toBe(0);
});

it("a page among the artifacts runs nothing, reaches nothing and goes nowhere", async () => {
  const { page } = guest;
  mayViolate = true; // its attempts are what the policy is for
  const html =
    "<h1>still shown</h1><script>parent.document.title='owned';top.location='http://192.0.2.1/'</script>" +
    "<img src='http://192.0.2.1/x.png'><img src=x onerror=\"parent.postMessage('owned','*')\">" +
    "<meta http-equiv=refresh content='0;url=http://192.0.2.1/'>" +
    "<form action='http://192.0.2.1/'><button>send</button></form><iframe src='http://192.0.2.1/'></iframe>" +
    "<link rel=stylesheet href='http://192.0.2.1/x.css'><style>@import 'http://192.0.2.1/y.css'</style>" +
    "<a href='http://192.0.2.1/' target=_top>go</a>";
  await page.evaluate(() => {
    const marks = window as unknown as { messages: unknown[] };
    marks.messages = [];
    addEventListener("message", (event) => {
      if (event.data === "owned") marks.messages.push(event.data);
    });
  });
  await runIt(page, `open("evil.html", "w").write(${JSON.stringify(html)})\n`);
  const frame = page.frameLocator(".artifact iframe");
  expect(await frame.locator("h1").textContent()).toBe("still shown");
  expect(await page.getAttribute(".artifact iframe", "sandbox")).toBe("");
  await frame.locator("a").click();
  await page.waitForTimeout(1500);
  expect(await page.title()).toBe("Belljar");
  expect(
    await page.evaluate(() => (window as unknown as { messages: unknown[] }).messages),
  ).toEqual([]);
  expect(page.url()).toContain(service.url);
  await page.locator(".artifacts").scrollIntoViewIfNeeded();
  await picture(page, "hostile-artifact");
  // What was asked for of that address was stopped by the policy before it left.
  guest.elsewhere.splice(
    0,
    guest.elsewhere.length,
    ...guest.elsewhere.filter((address) => !address.startsWith("http://192.0.2.1/")),
  );
});

it("a script in an image runs nowhere", async () => {
  const { page } = guest;
  const svg =
    "<svg xmlns='http://www.w3.org/2000/svg' width='40' height='40' onload=\"document.title='owned'\"><script>top.document.title='owned'</script><image href='http://192.0.2.1/x.png' width='9' height='9'/><rect width='40' height='40'/></svg>";
  await runIt(page, `open("evil.svg", "w").write(${JSON.stringify(svg)})\n`);
  await page.waitForFunction(
    () => (document.querySelector<HTMLImageElement>(".artifact img")?.naturalWidth ?? 0) > 0,
  );
  expect(await page.title()).toBe("Belljar");
});

it("an artifact's own address is nothing that a browser shows", async () => {
  const { page } = guest;
  mayViolate = true;
  await runIt(page, `open("evil.html", "w").write("<script>1</script>")\n`);
  const id = new URL(page.url()).pathname.split("/").pop();
  const answer = await fetch(`${service.url}/v1/runs/${id}/artifacts/evil.html`);
  expect(answer.headers.get("content-disposition")).toBe("attachment");
  expect(answer.headers.get("content-security-policy")).toContain("sandbox");
});

it("the page's policy is strict, and holds", async () => {
  const { page } = guest;
  const policy = (await fetch(service.url)).headers.get("content-security-policy") ?? "";
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("script-src 'self';");
  expect(policy).toContain("frame-ancestors 'none'");
  mayViolate = true;
  const ran = await page.evaluate(async () => {
    const script = document.createElement("script");
    script.textContent = "window.ranInline = true";
    document.head.append(script);
    await new Promise((done) => setTimeout(done, 100));
    return (window as unknown as { ranInline?: boolean }).ranInline === true;
  });
  expect(ran).toBe(false);
  expect(guest.violations.length).toBeGreaterThan(0);
});
