// docs/runbook.md as a page beside the other one, so that what shows a problem leads to what to do about it.

import { readFile, writeFile } from "node:fs/promises";
import { Marked } from "marked";

const SOURCE = new URL("../docs/runbook.md", import.meta.url);

const renderer = {
  heading({ tokens, depth, text }) {
    return `<h${depth} id="${text.toLowerCase().replaceAll(" ", "-")}">${this.parser.parseInline(tokens)}</h${depth}>\n`;
  },
  /** Other pages are not served: they are named. */
  link({ href, tokens }) {
    const words = this.parser.parseInline(tokens);
    return /^(#|https:)/.test(href) ? `<a href="${href}">${words}</a>` : `${words} (docs/${href})`;
  },
};

const page = (body) => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Runbook – Usage</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="app.css">
  </head>
  <body>
    <main class="runbook">
${body}
    </main>
  </body>
</html>
`;

export async function runbook(file) {
  const text = await readFile(SOURCE, "utf8");
  await writeFile(file, page(new Marked({ renderer }).parse(text)));
}
