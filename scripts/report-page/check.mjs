// Opens a report page in Chromium as a person would, narrow and wide, in light and in dark, with and without its script, and
// says what is wrong with it. Then hovers, searches and zooms.
//
//     node check.mjs PAGE CHROMIUM FOLDER
//
// FOLDER takes a screenshot of each.
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [page_path, executablePath, folder] = process.argv.slice(2);
const FIGURES = [
  "hit-rate", "misses", "creation-time", "entries", "memory", "kv-cache", "evictions", "dearest-keys", "rebuilt-keys",
  "idle-ages-0",
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
  for (const width of [400, 800, 1200]) await look(width, "light", false);
  await use();
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

// A page with everything that it complains of.
async function open(options) {
  const context = await browser.newContext(options);
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
  return { context, page, problems };
}

async function look(width, colorScheme, javaScriptEnabled = true) {
  const where = `${width} px, ${colorScheme}${javaScriptEnabled ? "" : ", without script"}`;
  const { context, page, problems } = await open({ viewport: { width, height: 900 }, colorScheme, javaScriptEnabled });
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
      const bars = [...figure.querySelectorAll(".bars > li > i > i")].filter(visible);
      const texts = shown.flatMap((svg) => [...svg.querySelectorAll("text")]);
      return {
        id: figure.id,
        shown: shown.length,
        marks: marks.length + bars.length,
        bars: bars.length,
        told: shown.every((svg) => svg.querySelector(".zone > title")),
        named: shown.every((svg) => svg.getAttribute("aria-label")),
        rows: figure.querySelectorAll("tbody tr").length,
        clipped: texts.filter((text) => {
          const box = text.getBoundingClientRect();
          const plot = text.ownerSVGElement.getBoundingClientRect();
          return box.left < plot.left - 1 || box.right > plot.right + 1;
        }).map((text) => text.textContent.trim()),
        smallest: Math.min(Infinity, ...texts.map((text) => text.getBoundingClientRect().height)),
      };
    });
    const mark = document.querySelector("figure svg polyline");
    const box = document.querySelector("#caches .scroll");
    const hit_rate = [...document.querySelectorAll("#caches td")].map((cell) => cell.getBoundingClientRect()).at(1);
    return {
      plots,
      overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
      scripts: document.scripts.length,
      tools: [...document.querySelectorAll(".script")].filter(visible).length,
      cut: box.scrollWidth - box.clientWidth,
      hit_rate: hit_rate.left >= 0 && hit_rate.right <= innerWidth,
      title: document.title,
      background: getComputedStyle(document.body).backgroundColor,
      text: getComputedStyle(document.body).color,
      mark: mark && getComputedStyle(mark).stroke,
    };
  });
  check(seen.overflow <= 0, `${where}: the page is ${seen.overflow} px too wide`);
  check(seen.scripts === 2, `${where}: ${seen.scripts} scripts, not the data and the script`);
  check(javaScriptEnabled === seen.tools > 0, `${where}: ${seen.tools} tools for the script`);
  check(seen.cut <= 0 && seen.hit_rate, `${where}: the table of caches is cut by ${seen.cut} px`);
  check(seen.title.includes("demo.jsonl"), `${where}: the title is ${seen.title}`);
  for (const id of FIGURES) {
    check(seen.plots.some((plot) => plot.id === id), `${where}: no figure ${id}`);
  }
  for (const plot of seen.plots) {
    check(plot.shown === 1 || plot.bars > 0, `${where}: ${plot.id} shows ${plot.shown} plots`);
    check(javaScriptEnabled || width < 520 || plot.told, `${where}: ${plot.id} tells no figures`);
    check(plot.marks > 0, `${where}: ${plot.id} has no marks`);
    check(plot.named, `${where}: ${plot.id} has no name`);
    check(plot.rows > 0, `${where}: ${plot.id} has no table`);
    check(plot.clipped.length === 0, `${where}: ${plot.id} cuts off ${plot.clipped.join(", ")}`);
    check(plot.smallest >= 10, `${where}: ${plot.id} has text ${plot.smallest} px high`);
  }
  const name = `${folder}/report-${width}-${colorScheme}${javaScriptEnabled ? "" : "-static"}`;
  await page.screenshot({ path: `${name}.png`, fullPage: true });
  await page.screenshot({ path: `${name}-top.png` });
  await page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  check(overflow <= 0, `${where}: with its tables open, the page is ${overflow} px too wide`);
  await context.close();
  return seen;
}

// Hover, zoom, a logarithmic scale and search.
async function use() {
  const { context, page, problems } = await open({ viewport: { width: 1400, height: 900 }, colorScheme: "light" });
  const plot = page.locator("#creation-time svg.wide");
  const texts = (id) => page.locator(`#${id} svg.wide text`).allTextContents();
  await plot.scrollIntoViewIfNeeded();
  const box = await plot.boundingBox();
  const [y, from, to] = [box.y + box.height / 2, box.x + box.width * 0.4, box.x + box.width * 0.6];

  await page.mouse.move(from, y);
  const tip = await page.locator("#tip").innerText();
  check(/ to .*\n.+: [\d.]+ (ns|µs|ms|s)/.test(tip), `the tip says ${JSON.stringify(tip)}`);

  const before = await Promise.all(["creation-time", "entries", "idle-ages-0"].map(texts));
  await page.mouse.down();
  await page.mouse.move(to, y, { steps: 4 });
  await page.mouse.up();
  const zoomed = await Promise.all(["creation-time", "entries", "idle-ages-0"].map(texts));
  check(String(zoomed[0]) !== String(before[0]), "the plot that was dragged over shows the same time");
  check(String(zoomed[1]) !== String(before[1]), "another plot over time shows the same time");
  check(String(zoomed[2]) === String(before[2]), "a plot that is not over time has changed");
  check((await page.locator("#tools output").innerText()).includes(" to "), "the stretch of time is not said");
  await page.screenshot({ path: `${folder}/report-zoomed.png` });
  await page.getByRole("button", { name: "all of the time" }).click();
  check(String(await texts("entries")) === String(before[1]), "the plots do not go back to all of the time");

  await page.getByLabel("logarithmic").check();
  const marks = await page.locator("#creation-time svg.wide polyline").count();
  check(marks > 1, `on a logarithmic scale there are ${marks} lines`);
  const cut = await page.evaluate(() => [...document.querySelectorAll("#time svg.wide text")].filter((text) => {
    return text.getBoundingClientRect().left < text.ownerSVGElement.getBoundingClientRect().left - 1;
  }).map((text) => text.textContent));
  check(cut.length === 0, `on a logarithmic scale, these are cut off: ${cut.join(", ")}`);
  await page.screenshot({ path: `${folder}/report-logarithmic.png` });

  const rows = page.locator("#keys tbody tr");
  const all = await rows.count();
  await page.getByRole("searchbox").fill("MPS_gemm m:16,");
  const found = await rows.filter({ visible: true }).allInnerTexts();
  check(found.length > 0 && found.length < all, `${found.length} of ${all} keys are found`);
  check(found.every((row) => row.includes("mps_gemm") && row.includes("m:16,")), "a key is found that should not be");
  check((await page.locator("#keys output").innerText()).startsWith(`${found.length} of `), "their number is not said");

  const key = page.locator("#dearest-keys .bars summary").first();
  await key.click();
  const command = await page.locator("#dearest-keys .command").first().innerText();
  check(command.startsWith("metallic explain "), `the command is ${command}`);
  check(problems.length === 0, `in use: ${problems.join("; ")}`);
  await context.close();
}
