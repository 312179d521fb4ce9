// A service of the tests' own, and a browser that looks at it. What the browser asks for elsewhere, what
// its policy stops and what goes wrong in the page is written down, so that a test can say there was none.
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect as connectTo, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { expect } from "vitest";

const belljar = process.env.BELLJAR ?? "";
const results = process.env.BELLJAR_TEST_RESULTS ?? join(tmpdir(), "belljar-web-results");
export const PATIENCE = 45_000;

export class Service {
  private constructor(
    private readonly process: ChildProcess,
    readonly folder: string,
    readonly url: string,
  ) {}

  static async start(...options: string[]): Promise<Service> {
    if (belljar === "") throw new Error("BELLJAR must name the binary");
    const folder = mkdtempSync(join(tmpdir(), "belljar-web-"));
    chmodSync(folder, 0o755); // the gateway is another user
    const words = [
      "serve",
      "--listen",
      "127.0.0.1:0",
      "--state-dir",
      join(folder, "state"),
      ...options,
    ];
    const child = spawn(belljar, words, { stdio: ["ignore", "ignore", "pipe"] });
    let log = "";
    const url = await new Promise<string>((done, failed) => {
      const timer = setTimeout(
        () => failed(new Error(`the service did not start: ${log}`)),
        PATIENCE,
      );
      child.stderr?.on("data", (piece) => {
        log += piece;
        const found = /listening on (http:\S+)/.exec(log)?.[1];
        if (found !== undefined && log.includes('"event":"ready"')) {
          clearTimeout(timer);
          done(found);
        }
      });
      child.on("exit", () => failed(new Error(`the service ended: ${log}`)));
    });
    return new Service(child, folder, url);
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  async stop(): Promise<void> {
    const ended = new Promise((done) => this.process.on("exit", done));
    this.process.kill("SIGTERM");
    const timer = setTimeout(() => this.process.kill("SIGKILL"), 20_000);
    await ended;
    clearTimeout(timer);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

// A wire between browser and service that can be cut.
export class Wire {
  private readonly sockets = new Set<Socket>();
  private server: Server | null = null;
  port = 0;

  constructor(private readonly to: number) {}

  async join(): Promise<void> {
    this.server = createServer((near) => {
      const far = connectTo(this.to, "127.0.0.1");
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.sockets.add(socket);
        socket.on("error", () => undefined);
        socket.on("close", () => {
          this.sockets.delete(socket);
          other.destroy();
        });
        socket.pipe(other);
      }
    });
    await new Promise<void>((done) => this.server?.listen(this.port, "127.0.0.1", done));
    const address = this.server.address();
    if (address !== null && typeof address === "object") this.port = address.port;
  }

  async cut(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((done) => this.server?.close(done) ?? done(null));
  }
}

export interface Visit {
  page: Page;
  context: BrowserContext;
  elsewhere: string[]; // addresses that are not the service's
  violations: string[]; // what the page's policy stopped
  errors: string[];
  answers: string[]; // what is typed when the page asks
  end(): Promise<void>;
}

export interface Look {
  dark?: boolean;
  phone?: boolean;
}

export const LOOKS = [
  ["light", {}],
  ["dark", { dark: true }],
  ["phone", { phone: true }],
  ["phone-dark", { phone: true, dark: true }],
] as const;

export async function visit(url: string, path = "/", look: Look = {}): Promise<Visit> {
  const profile = mkdtempSync(join(tmpdir(), "belljar-profile-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: "/usr/bin/chromium",
    headless: true,
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
    viewport: look.phone ? { width: 390, height: 844 } : { width: 1440, height: 900 },
    hasTouch: look.phone === true,
    isMobile: look.phone === true,
    colorScheme: look.dark ? "dark" : "light",
    acceptDownloads: true,
  });
  context.setDefaultTimeout(PATIENCE);
  await context.grantPermissions(["clipboard-read", "clipboard-write"], {
    origin: new URL(url).origin,
  });
  const page = context.pages()[0] ?? (await context.newPage());
  const elsewhere: string[] = [];
  const violations: string[] = [];
  const errors: string[] = [];
  const origin = new URL(url).origin;
  const isElsewhere = (address: string) =>
    !/^(data|blob|about):/.test(address) &&
    new URL(address).origin.replace(/^ws/, "http") !== origin;
  context.on("request", (request) => {
    if (isElsewhere(request.url())) elsewhere.push(request.url());
  });
  page.on("websocket", (socket) => {
    if (isElsewhere(socket.url())) elsewhere.push(socket.url());
  });
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    if (/Content Security Policy/.test(message.text())) violations.push(message.text());
    else if (
      message.type() === "error" &&
      !/Failed to load resource|WebSocket connection|net::ERR/.test(message.text())
    )
      errors.push(message.text());
  });
  const answers: string[] = [];
  page.on("dialog", (dialog) => void dialog.accept(answers.shift()));
  await page.goto(url + path);
  return {
    page,
    answers,
    context,
    elsewhere,
    violations,
    errors,
    end: async () => {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

export async function picture(page: Page, name: string, whole = false): Promise<void> {
  const folder = join(results, "web", "screenshots");
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: whole });
}

const axe = readFileSync(
  new URL("../../node_modules/axe-core/axe.min.js", import.meta.url),
  "utf8",
);

interface AxeResult {
  violations: { id: string; nodes: { html: string; failureSummary: string }[] }[];
  passes: unknown[];
}

// What axe finds, in a page and in a state of it. It is put in by the debugger, which no policy stops.
export async function findings(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const found = await page.evaluate(() =>
    (window as unknown as { axe: { run(options: unknown): Promise<AxeResult> } }).axe.run({
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }),
  );
  expect(found.passes.length).toBeGreaterThan(10);
  return found.violations.flatMap((each) =>
    each.nodes.map((node) => `${each.id}: ${node.html.slice(0, 200)} ${node.failureSummary}`),
  );
}

// The bench with the editor in it.
export async function editorIsThere(page: Page): Promise<void> {
  await page.waitForSelector('#surface[data-editor="monaco"]');
}

export async function write(page: Page, program: string, language = "python"): Promise<void> {
  await page.waitForSelector("#language option", { state: "attached" });
  await editorIsThere(page);
  if ((await page.inputValue("#language")) !== language)
    await page.selectOption("#language", language);
  await page.click(".monaco .view-lines");
  await page.keyboard.press("Control+a");
  await paste(page, program);
}

export async function run(page: Page): Promise<void> {
  await page.keyboard.press("Control+Enter");
  await page.waitForFunction(() => location.pathname.startsWith("/r/"));
}

// As text that was copied elsewhere: what is typed line by line the editor indents by itself.
export async function paste(page: Page, text: string): Promise<void> {
  await page.evaluate((words) => navigator.clipboard.writeText(words), text);
  const last = text.trimEnd().split("\n").at(-1)?.replace(/\s/g, "").slice(-16) ?? "";
  await page.keyboard.press("Control+v");
  // It comes from another process, and what is pressed next must come after it.
  await page.waitForFunction(
    (words) =>
      (document.querySelector(".monaco .view-lines")?.textContent ?? "")
        .replace(/\s/g, "")
        .includes(words),
    last,
  );
}

// The sentence once the run is over.
export async function ending(page: Page): Promise<string> {
  await page.waitForSelector(
    '.result[data-tone="good"], .result[data-tone="bad"], .result[data-tone="stopped"]',
  );
  return (await page.textContent("#sentence")) ?? "";
}

export async function runIt(page: Page, program: string, language = "python"): Promise<string> {
  await write(page, program, language);
  await run(page);
  return ending(page);
}

export function shown(page: Page): Promise<string> {
  return page.evaluate(() =>
    (window as unknown as { belljar: { terminal(): Promise<string> } }).belljar.terminal(),
  );
}

export async function shows(page: Page, text: string | RegExp): Promise<void> {
  await expect
    .poll(() => shown(page), { timeout: PATIENCE })
    .toMatch(
      typeof text === "string" ? new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")) : text,
    );
}

export async function example(page: Page, language: string, title: string): Promise<void> {
  await page.waitForSelector("#language option", { state: "attached" });
  await editorIsThere(page);
  if ((await page.inputValue("#language")) !== language) {
    await page.selectOption("#language", language);
  }
  const option = page.locator("#example option", { hasText: title });
  await option.waitFor({ state: "attached" });
  const value = await option.getAttribute("value");
  await page.selectOption("#example", value);
  await expect.poll(() => page.textContent(".monaco .view-lines")).not.toBe("");
}

/** Has the page look at its own clock from here on; the answer says how long it did not come to. */
export async function watchPauses(page: Page): Promise<() => Promise<number>> {
  await page.evaluate(() => {
    const marks = window as unknown as { longest: number };
    marks.longest = 0;
    let last = performance.now();
    const tick = () => {
      const now = performance.now();
      marks.longest = Math.max(marks.longest, now - last);
      last = now;
      setTimeout(tick, 10);
    };
    tick();
  });
  return () => page.evaluate(() => (window as unknown as { longest: number }).longest);
}
