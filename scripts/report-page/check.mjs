// Opens a report page in Chromium as a person would, narrow and wide, in light and in dark, and says what is wrong with it.
//
//     node check.mjs PAGE CHROMIUM FOLDER
//
// FOLDER takes a screenshot of each.
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [page_path, executablePath, folder] = process.argv.slice(2);
const FIGURES = [
  "hit-rate", "misses", "creation-time", "entries", "evictions", "dearest-keys", "rebuilt-keys", "idle-ages-0",
];
const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
let passed = 0;
let failed = 0;

function check(holds, what) {
  if (holds) {
    passed += 1;
  } else {
    failed += 1;
    console.log(`FAILED: ${what}`);
  }
}

// Playwright gives each browser a fresh profile of its own.
const browser = await chromium.launch({ executablePath, headless: true, args: FLAGS });
try {
  const inks = {};
  for (const width of [400, 1400]) {
    for (const colorScheme of ["light", "dark"]) {
      inks[`${width} ${colorScheme}`] = await look(width, colorScheme);
    }
  }
  for (const width of [400, 1400]) {
    for (const ink of ["background", "text", "mark"]) {
      const [light, dark] = ["light", "dark"].map((scheme) => inks[`${width} ${scheme}`][ink]);
      check(light !== dark, `${width} px: the ${ink} is ${light} in light and in dark`);
    }
  }
} finally {
  await browser.close();
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

async function look(width, colorScheme) {
  const where = `${width} px, ${colorScheme}`;
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
  const page = await context.newPage();
  const problems = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("requestfailed", (request) => problems.push(`request failed: ${request.url()}`));
  page.on("request", (request) => {
    if (!/^(file|data):/.test(request.url())) problems.push(`request: ${request.url()}`);
  });
  await page.goto(pathToFileURL(page_path).href);
  check(problems.length === 0, `${where}: ${problems.join("; ")}`);

  const seen = await page.evaluate(() => {
    const visible = (element) => element.getBoundingClientRect().height > 0;
    const plots = [...document.querySelectorAll("figure")].map((figure) => {
      const shown = [...figure.querySelectorAll("svg")].filter(visible);
      const marks = shown.flatMap((svg) => [...svg.querySelectorAll("rect, polyline, circle")]).filter((mark) => {
        const box = mark.getBoundingClientRect();
        const ink = mark.getAttribute("fill") === "none" ? mark.getAttribute("stroke") : mark.getAttribute("fill");
        return /^var\(--s\d\)$/.test(ink) && box.width + box.height > 0;
      });
      const texts = shown.flatMap((svg) => [...svg.querySelectorAll("text")]);
      return {
        id: figure.id,
        shown: shown.length,
        marks: marks.length,
        named: shown.every((svg) => svg.getAttribute("aria-label") && svg.querySelector("title")),
        rows: figure.querySelectorAll("tbody tr").length,
        clipped: texts.filter((text) => {
          const box = text.getBoundingClientRect();
          const plot = text.ownerSVGElement.getBoundingClientRect();
          return box.left < plot.left - 1 || box.right > plot.right + 1;
        }).map((text) => text.textContent.trim()),
        smallest: Math.min(...texts.map((text) => text.getBoundingClientRect().height)),
      };
    });
    const mark = document.querySelector("figure svg polyline");
    return {
      plots,
      overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
      scripts: document.scripts.length,
      background: getComputedStyle(document.body).backgroundColor,
      text: getComputedStyle(document.body).color,
      mark: mark && getComputedStyle(mark).stroke,
    };
  });
  check(seen.overflow <= 0, `${where}: the page is ${seen.overflow} px too wide`);
  check(seen.scripts === 0, `${where}: ${seen.scripts} scripts`);
  for (const id of FIGURES) {
    check(seen.plots.some((plot) => plot.id === id), `${where}: no figure ${id}`);
  }
  for (const plot of seen.plots) {
    check(plot.shown === 1, `${where}: ${plot.id} shows ${plot.shown} plots`);
    check(plot.marks > 0, `${where}: ${plot.id} has no marks`);
    check(plot.named, `${where}: ${plot.id} has no name`);
    check(plot.rows > 0, `${where}: ${plot.id} has no table`);
    check(plot.clipped.length === 0, `${where}: ${plot.id} cuts off ${plot.clipped.join(", ")}`);
    check(plot.smallest >= 10, `${where}: ${plot.id} has text ${plot.smallest} px high`);
  }
  await page.screenshot({ path: `${folder}/report-${width}-${colorScheme}.png`, fullPage: true });
  await page.screenshot({ path: `${folder}/report-${width}-${colorScheme}-top.png` });
  await page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  check(overflow <= 0, `${where}: with its tables open, the page is ${overflow} px too wide`);
  await context.close();
  return seen;
}
