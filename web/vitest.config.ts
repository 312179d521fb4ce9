import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    environment: "node",
    fileParallelism: false, // one browser at a time
    testTimeout: 120_000,
    hookTimeout: 120_000,
    reporters: ["default"],
  },
});
