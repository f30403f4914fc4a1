// axe-core in a real Chromium over the addresses given on standard input, in light and dark, wide and narrow.
// Ends with 1 where anything is found. CHROMIUM names the browser.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import puppeteer from "puppeteer-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const addresses = readFileSync(0, "utf8").trim().split("\n");
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--disable-dev-shm-usage"],
});
const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"];
let found = 0;
for (const [scheme, width] of [["light", 1280], ["dark", 360]]) {
  for (const address of addresses) {
    const page = await browser.newPage();
    await page.setBypassCSP(true);
    await page.setViewport({ width, height: 900 });
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    // Nothing but this machine: a player's own page is not ours to check.
    await page.setRequestInterception(true);
    page.on("request", (request) =>
      new URL(request.url()).hostname === "127.0.0.1" ? request.continue() : request.abort());
    await page.goto(address, { waitUntil: "load" });
    await page.evaluate(axe);
    const { violations } = await page.evaluate(
      (values) => axe.run(document, { runOnly: { type: "tag", values }, iframes: false }), tags);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    for (const it of violations) {
      found += 1;
      console.error(`${address} (${scheme}): ${it.id}, ${it.impact}: ${it.help}\n  ${it.nodes[0].html}`);
    }
    if (wide) {
      found += 1;
      console.error(`${address} (${width} px): wider than the window`);
    }
    await page.close();
  }
}
await browser.close();
console.log(`axe-core: ${addresses.length} pages in 2 looks, ${found} findings`);
process.exit(found ? 1 : 0);
