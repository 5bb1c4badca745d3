import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

// The collector serves the page from its static folder, under a policy that allows no inline script and no data: images.
export default defineConfig({
  base: "/static/",
  plugins: [svelte()],
  build: {
    outDir: "../collector/hayrick_collector/static",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  server: { proxy: { "/api": "http://127.0.0.1:8005" } },
  test: { include: ["tests/**/*.test.ts"] },
});
