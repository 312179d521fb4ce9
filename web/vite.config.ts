import { defineConfig } from "vite";

export default defineConfig({
  base: "/",
  build: {
    assetsDir: "web", // the service's route of them
    assetsInlineLimit: 0, // the policy of the page lets nothing stand inline
    modulePreload: { polyfill: false },
    target: "es2022",
    chunkSizeWarningLimit: 4000,
    reportCompressedSize: false,
  },
  worker: { format: "es" },
  server: {
    proxy: {
      "/v1": { target: "http://127.0.0.1:8000", ws: true },
      "/metrics": "http://127.0.0.1:8000",
    },
  },
});
