// How it looks, and whether everybody can use it: axe over every page, light, dark and on a phone.
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  editorIsThere,
  ending,
  example,
  findings,
  LOOKS,
  picture,
  run,
  Service,
  shows,
  type Visit,
  visit,
  write,
} from "./harness";

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(() => service.stop());

async function clean(guest: Visit, name: string): Promise<void> {
  expect(await findings(guest.page), name).toEqual([]);
}

for (const [name, look] of LOOKS) {
  it(`is sound and looks well: ${name}`, async () => {
    const guest = await visit(service.url, "/", look);
    const { page } = guest;
    const phone = "phone" in look;
    await page.waitForSelector("#example option[value=hello]", { state: "attached" });
    await page.waitForSelector(".xterm");
    if (!phone) await editorIsThere(page);
    await picture(page, `${name}-start`);
    await clean(guest, "start");
    const choose = async (language: string, title: string) => {
      if (!phone) return example(page, language, title);
      await page.selectOption("#language", language);
      const option = page.locator("#example option", { hasText: title });
      await option.waitFor({ state: "attached" });
      await page.selectOption("#example", await option.getAttribute("value"));
    };
    const start = async () => {
      await page.click("#run");
      await page.waitForFunction(() => location.pathname.startsWith("/r/"));
      await ending(page);
    };
    await choose("python", "A plot");
    await start();
    await page.waitForSelector(".artifact img");
    await page.waitForSelector(".shield");
    await picture(page, `${name}-plot`, true);
    await clean(guest, "plot");
    await choose("python", "A way out");
    await start();
    await shows(page, "who am I");
    await picture(page, `${name}-escape`, true);
    await clean(guest, "escape");
    await choose("cpp", "A mistake");
    await start();
    await page.waitForSelector(".problems li");
    await picture(page, `${name}-problems`);
    await clean(guest, "problems");
    if (phone) {
      // Nothing is wider than the screen.
      expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(
        true,
      );
      const box = await page.locator("#theme").boundingBox();
      expect((box?.x ?? 999) + (box?.width ?? 0)).toBeLessThanOrEqual(390);
      await page.click("#more");
      await picture(page, `${name}-options`, true);
      await clean(guest, "options");
    }
    await page.goto(`${service.url}/tests`);
    await page.waitForSelector(".cases");
    await choose("python", "Sum of two");
    await page.click("#run");
    await page.waitForSelector('.tests[data-tone="good"]');
    await picture(page, `${name}-tests`);
    await clean(guest, "tests");
    await page.goto(`${service.url}/history`);
    await page.waitForSelector(".runs tbody tr");
    await picture(page, `${name}-history`);
    await clean(guest, "history");
    await page.locator(".runs input").nth(0).check();
    await page.locator(".runs input").nth(1).check();
    await page.click("#compare");
    await page.waitForSelector(".difference");
    await picture(page, `${name}-compare`);
    await clean(guest, "compare");
    await page.goto(`${service.url}/status`);
    await page.waitForSelector(".plot");
    await page.waitForTimeout(4500);
    await picture(page, `${name}-status`);
    await clean(guest, "status");
    await guest.end();
    expect(guest.errors).toEqual([]);
    expect(guest.violations).toEqual([]);
    expect(guest.elsewhere).toEqual([]);
  });
}

it("takes up the colours that somebody chose", async () => {
  const guest = await visit(service.url);
  const { page } = guest;
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.click("#theme");
  const dark = await ground();
  expect(dark).not.toBe(light);
  await page.reload();
  expect(await ground()).toBe(dark);
  await editorIsThere(page);
  await write(page, "print('dark')\n");
  await run(page);
  await ending(page);
  await clean(guest, "chosen dark");
  await guest.end();
});
