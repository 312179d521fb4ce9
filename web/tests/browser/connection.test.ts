// The page is loaded anew in mid-run, the connection breaks and comes back, the service asks for a key.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import {
  editorIsThere,
  ending,
  picture,
  run,
  Service,
  shown,
  shows,
  type Visit,
  visit,
  Wire,
  write,
} from "./harness";

const COUNT =
  "import time\nfor i in range(1, 21):\n    print('number', i, flush=True)\n    time.sleep(0.25)\n";
let service: Service | null = null;
let guest: Visit | null = null;

afterEach(async () => {
  const seen = guest;
  await guest?.end();
  await service?.stop();
  service = null;
  guest = null;
  expect(seen?.elsewhere).toEqual([]);
  expect(seen?.violations).toEqual([]);
});

function everyNumberOnce(text: string): void {
  const numbers = [...text.matchAll(/number (\d+)/g)].map((match) => Number(match[1]));
  expect(numbers).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
}

it("a page that is loaded anew in mid-run goes on with the run", async () => {
  service = await Service.start();
  guest = await visit(service.url);
  const { page } = guest;
  await write(page, COUNT);
  await run(page);
  await shows(page, "number 3");
  await page.reload();
  await page.waitForSelector("#stop:visible");
  await picture(page, "reloaded");
  expect(await ending(page)).toMatch(/^Ended/);
  everyNumberOnce(await shown(page));
  await editorIsThere(page);
  await expect.poll(() => page.textContent(".monaco .view-lines")).toMatch(/time.sleep/);
});

it("a connection that breaks is taken up where it was", async () => {
  service = await Service.start();
  const wire = new Wire(service.port);
  await wire.join();
  guest = await visit(`http://127.0.0.1:${wire.port}`);
  const { page } = guest;
  await write(page, COUNT);
  await run(page);
  await shows(page, "number 3");
  await wire.cut();
  await page.waitForFunction(() =>
    document.querySelector("#sentence")?.textContent?.startsWith("The connection is lost"),
  );
  await picture(page, "connection-lost");
  await wire.join();
  expect(await ending(page)).toMatch(/^Ended/);
  everyNumberOnce(await shown(page));
  await wire.cut();
});

it("an interactive run ends with its connection, and the page finds out how", async () => {
  service = await Service.start();
  const wire = new Wire(service.port);
  await wire.join();
  guest = await visit(`http://127.0.0.1:${wire.port}`);
  const { page } = guest;
  await write(page, "input('waiting ')\n");
  await run(page);
  await shows(page, "waiting");
  await wire.cut();
  await page.waitForFunction(() =>
    document.querySelector("#sentence")?.textContent?.startsWith("The connection is lost"),
  );
  await wire.join();
  expect(await ending(page)).toMatch(/^Cancelled after/);
  await wire.cut();
});

it("a service that is not there is told of, and a run waits for it", async () => {
  service = await Service.start();
  const wire = new Wire(service.port);
  await wire.join();
  guest = await visit(`http://127.0.0.1:${wire.port}`);
  const { page } = guest;
  await write(page, "print('at last')\n");
  await wire.cut();
  await page.keyboard.press("Control+Enter");
  await page.waitForFunction(() =>
    document.querySelector("#sentence")?.textContent?.startsWith("The connection is lost"),
  );
  await wire.join();
  expect(await ending(page)).toMatch(/^Ended/);
  await shows(page, "at last");
  await wire.cut();
});

it("where a key is needed the page asks for it, and then does everything with it", async () => {
  service = await Service.start("--require-key");
  const made = execFileSync(
    process.env.BELLJAR ?? "",
    ["keys", "create", `--state-dir=${join(service.folder, "state")}`, "--for=ada", "--name=page"],
    { encoding: "utf8" },
  );
  const secret = /bj_[0-9a-f]{64}/.exec(made)?.[0] ?? "";
  expect(secret).not.toBe("");
  guest = await visit(service.url);
  const { page } = guest;
  await write(page, "print('hello')\n");
  await page.keyboard.press("Control+Enter");
  await page.waitForSelector("dialog[open]");
  await picture(page, "key");
  await page.fill("#secret", secret);
  await page.click('dialog button[value="save"]');
  await page.waitForSelector("dialog", { state: "hidden" });
  await write(page, "name = input('who? ')\nprint('hello', name)\n");
  await run(page);
  await shows(page, "who?");
  await page.keyboard.type("Ada\n");
  expect(await ending(page)).toMatch(/^Ended/);
  await shows(page, "hello Ada");
  await page.goto(`${service.url}/history`);
  await page.waitForSelector(".runs tbody tr");
  expect(await page.locator(".runs tbody tr").count()).toBe(1);
  await page.goto(`${service.url}/status`);
  await page.waitForFunction(
    () => document.querySelector("#sheet h1")?.textContent === "The metrics are not to be had",
  );
});
