import { writeFileSync } from "node:fs";
import type { Reporter, TestCase } from "vitest/node";

/** Writes down what passed only when it was tried once more, for `./dev test` to tell. */
export default class Unsteady implements Reporter {
  private readonly seen: [string, string][] = [];

  onTestCaseResult(test: TestCase) {
    const results = process.env.BELLJAR_TEST_RESULTS;
    const { retryCount } = test.diagnostic() ?? { retryCount: 0 };
    if (results && retryCount > 0) {
      this.seen.push([
        test.fullName,
        test.result().errors?.[0]?.message.split("\n")[0] ?? "no message",
      ]);
      writeFileSync(`${results}/web.unsteady.json`, JSON.stringify(this.seen));
    }
  }
}
