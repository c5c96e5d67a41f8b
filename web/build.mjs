// Builds the page into the Python package, so that whoever runs it needs no Node:
// what rarely changes (the charts) in a file of its own, and the same bytes from the same sources.
import { build } from "esbuild";
import { copyFile, mkdir, rm } from "node:fs/promises";
import { runbook } from "./runbook.mjs";

const out = process.argv[2] ?? new URL("../pipeline/web/static", import.meta.url).pathname;
const common = {
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "none",
  logLevel: "warning",
  charset: "utf8",
};

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
await build({ ...common, entryPoints: ["src/charts.ts"], outfile: `${out}/charts.js` });
await build({
  ...common,
  entryPoints: ["src/app.tsx"],
  outfile: `${out}/app.js`,
  jsx: "automatic",
  jsxImportSource: "preact",
  external: ["./charts.js"],
});
await build({ ...common, entryPoints: ["src/app.css"], outfile: `${out}/app.css` });
await copyFile("src/index.html", `${out}/index.html`);
await runbook(`${out}/runbook.html`);
