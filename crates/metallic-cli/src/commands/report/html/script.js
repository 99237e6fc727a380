"use strict";
// Draws the plots over time anew from the figures in the page: for a stretch of time, on a logarithmic scale, with a tip at
// the pointer. And searches the keys. Text goes into the page as text only.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const SVG = document.querySelector("svg")?.namespaceURI;
  const GAP = 6, TURN = 3;
  let range = [0, data.columns], isLog = false;

  const digits = (value) => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
  const scaled = (value, units) => {
    const [size, name] = units.findLast(([size]) => value >= size) ?? units[0];
    return (size === 1 ? String(Math.round(value)) : digits(value / size)) + name;
  };
  const TIME = [[1, " ns"], [1e3, " µs"], [1e6, " ms"], [1e9, " s"], [60e9, " min"], [3600e9, " h"]];
  const BYTES = [[1, " B"], [2 ** 10, " KiB"], [2 ** 20, " MiB"], [2 ** 30, " GiB"]];
  const COUNT = [[1, ""], [1e3, " k"], [1e6, " M"], [1e9, " G"]];
  const UNITS = { time: TIME, bytes: BYTES, count: COUNT };
  const text = (unit, value) => {
    if (unit === "share") return `${(value * 100).toFixed(value > 0.99 && value < 1 ? 3 : 1)} %`;
    if (unit === "count") return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, "\u202f");
    return value === 0 ? "0" : scaled(value, UNITS[unit]);
  };
  const moment = (at) => (data.axis === "time" ? (at === 0 ? "0" : scaled(at, TIME)) : text("count", at));

  // Round steps of the unit that the largest value is in, up to or beyond it.
  const steps = (from, to, most, units) => {
    const size = units.findLast(([size]) => to >= size)?.[0] ?? 1;
    const raw = (to - from) / size / most;
    const magnitude = 10 ** Math.floor(Math.log10(raw));
    let step = [1, 2, 2.5, 5, 10].find((n) => n * magnitude >= raw * 0.999999) * magnitude * size;
    if (units === COUNT) step = Math.max(1, step);
    const ticks = [];
    for (let n = Math.ceil(from / step - 1e-9); n * step < to + step * 0.999; n += 1) ticks.push(n * step);
    return { step, size, ticks };
  };
  // All ticks of an axis have as many digits as tell them apart.
  const label = (value, { step, size }, units) => {
    if (value === 0) return "0";
    const places = Math.max(0, Math.min(6, -Math.floor(Math.log10(step / size) + 1e-9)));
    const short = (value / size).toFixed(places + (((step / size) * 10 ** places) % 1 > 0.01 ? 1 : 0));
    return short + units.find((unit) => unit[0] === size)[1];
  };

  // The values of a lane in columns of `width` of the finest ones; null where there is none.
  const columns = (kind, lane, [from, to], width) => {
    const sums = Array.from({ length: Math.ceil((to - from) / width) }, () => null);
    let last = null;
    for (const [at, a, b] of lane.points) {
      if (at >= to) break;
      if (kind === "level" && at < from) last = b;
      if (at < from) continue;
      const sum = (sums[Math.floor((at - from) / width)] ??= [0, 0]);
      if (kind === "level") [sum[0], sum[1]] = [Math.max(sum[0], a), b];
      else [sum[0], sum[1]] = [sum[0] + a, sum[1] + b];
    }
    return sums.map((sum) => {
      if (kind === "share") return sum && sum[0] / sum[1];
      if (kind === "sum") return sum ? sum[0] : 0;
      const before = last;
      if (sum) last = sum[1];
      return before === null && !sum ? null : Math.max(before ?? 0, sum ? sum[0] : 0);
    });
  };

  const element = (parent, name, attributes, content) => {
    const made = parent.appendChild(document.createElementNS(SVG, name));
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (content !== undefined) made.textContent = content;
    return made;
  };

  const draw = (figure, svg) => {
    const isNarrow = svg.classList.contains("narrow");
    const [width, height, left] = isNarrow ? [350, 230, 58] : [620, 270, 60];
    const [right, top, bottom] = [width - 16, 10, height - 26];
    const merged = Math.ceil((range[1] - range[0]) / (isNarrow ? 48 : 96));
    const lanes = figure.lanes.map((lane) => ({ ...lane, values: columns(figure.kind, lane, range, merged) }));
    const stacked = figure.kind === "sum" && !isLog;
    const logarithmic = isLog && figure.unit !== "share";
    const count = lanes[0].values.length;
    const all = lanes.flatMap((lane) => lane.values).filter((value) => value !== null && (!logarithmic || value > 0));
    const totals = Array.from({ length: count }, (_, at) => lanes.reduce((sum, lane) => sum + lane.values[at], 0));
    const max = (stacked ? totals : all).reduce((a, b) => Math.max(a, b), 0);

    const begin = range[0] * data.width, end = (range[0] + count * merged) * data.width;
    const x = (at) => left + ((at - begin) / (end - begin)) * (right - left);
    const columnAt = (n) => (range[0] + n * merged) * data.width;
    let y, marks;
    if (logarithmic && all.length > 0) {
      // Sizes are round in powers of 2, and times are not in minutes.
      const base = figure.unit === "bytes" ? 4 : 10;
      const units = figure.unit === "time" ? TIME.slice(0, 4) : UNITS[figure.unit];
      const power = (value) => Math.log(value) / Math.log(base);
      const low = Math.floor(power(all.reduce((a, b) => Math.min(a, b))) + 1e-9);
      const high = Math.max(low + 1, Math.ceil(power(max) - 1e-9));
      const every = Math.ceil((high - low) / 6);
      y = (value) => bottom - ((power(value) - low) / (high - low)) * (bottom - top);
      marks = [];
      for (let n = low; n <= high; n += every) marks.push([base ** n, scaled(base ** n, units).replace(/\.0+(?=\D|$)/, "")]);
    } else {
      const share = figure.unit === "share";
      const units = share ? [[0.01, " %"]] : UNITS[figure.unit];
      const scale = share ? { step: 0.25, size: 0.01, ticks: [0, 0.25, 0.5, 0.75, 1] } : steps(0, max || 1, 4, units);
      const highest = scale.ticks.at(-1);
      y = (value) => bottom - (value / highest) * (bottom - top);
      marks = scale.ticks.map((tick) => [tick, label(tick, scale, units)]);
    }

    svg.replaceChildren(); // Its title, too, which would cover the tip; its label stays.
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const size = isNarrow ? 12 : 13;
    const letters = { "font-size": size, fill: "var(--muted)" };
    for (const [tick, name] of marks) {
      element(svg, "line", { x1: left, x2: right, y1: y(tick), y2: y(tick), stroke: "var(--grid)" });
      element(svg, "text", { ...letters, x: left - 7, y: y(tick) + size / 3, "text-anchor": "end" }, name);
    }
    const units = data.axis === "time" ? TIME : COUNT;
    const across = steps(begin, end, isNarrow ? 4 : 7, units);
    for (const tick of across.ticks.filter((tick) => tick <= end)) {
      element(svg, "line", { x1: x(tick), x2: x(tick), y1: bottom, y2: bottom + 4, stroke: "var(--muted)" });
      const anchor = x(tick) > right - 20 ? "end" : "middle";
      element(svg, "text", { ...letters, x: x(tick), y: bottom + 18, "text-anchor": anchor }, label(tick, across, units));
    }
    element(svg, "line", { x1: left, x2: right, y1: bottom, y2: bottom, stroke: "var(--muted)" });

    if (stacked) {
      const step = (right - left) / count;
      for (let at = 0; at < count; at += 1) {
        let sum = 0;
        for (const { ink, values } of lanes) {
          if (!values[at]) continue;
          const box = { x: x(columnAt(at)), width: step * 0.86, y: y(sum + values[at]), height: y(sum) - y(sum + values[at]) };
          element(svg, "rect", { ...box, fill: ink });
          sum += values[at];
        }
      }
    } else {
      lanes.forEach((lane, which) => {
        const same = lanes.filter((other) => other.values.every((value, at) => value === lane.values[at]));
        const turn = same.indexOf(lane);
        let run = [], previous = -Infinity;
        const flush = () => {
          const stroke = { stroke: lane.ink, fill: "none", "stroke-width": 2, class: "line" };
          const pieces = same.length === 1 ? [run] : [];
          for (let at = turn * TURN; same.length > 1 && at < run.length; at += TURN * same.length) pieces.push(run.slice(at, at + TURN + 1));
          for (const piece of pieces) {
            if (piece.length === 1) element(svg, "circle", { cx: piece[0][0], cy: piece[0][1], r: 3, fill: lane.ink });
            if (piece.length > 1) element(svg, "polyline", { ...stroke, points: piece.map((point) => point.join()).join(" ") });
          }
          run = [];
        };
        lane.values.forEach((value, at) => {
          if (value === null || (logarithmic && value <= 0)) return;
          if (at - previous > GAP) flush();
          run.push([x((columnAt(at) + columnAt(at + 1)) / 2).toFixed(1), y(value).toFixed(1)]);
          previous = at;
        });
        flush();
      });
    }
    const cross = element(svg, "line", { y1: top, y2: bottom, x1: left, x2: left, stroke: "var(--ink)", visibility: "hidden" });
    const band = element(svg, "rect", { y: top, height: bottom - top, x: left, width: 0, class: "band" });

    // What is at a place of the screen, in columns of this plot, from 0 to `count`.
    const place = (event) => {
      const box = svg.getBoundingClientRect();
      const at = (((event.clientX - box.left) / box.width) * width - left) / (right - left);
      return Math.min(1, Math.max(0, at)) * count;
    };
    let start = null;
    svg.onpointerdown = (event) => {
      if (event.button !== 0) return;
      start = place(event);
      svg.setPointerCapture(event.pointerId);
      event.preventDefault();
    };
    svg.onpointermove = (event) => {
      const at = Math.min(count - 1, Math.floor(place(event)));
      const middle = x((columnAt(at) + columnAt(at + 1)) / 2);
      cross.setAttribute("x1", middle);
      cross.setAttribute("x2", middle);
      cross.setAttribute("visibility", "visible");
      if (start !== null) {
        const edges = [start, place(event)].sort((a, b) => a - b).map((edge) => left + (edge / count) * (right - left));
        band.setAttribute("x", edges[0]);
        band.setAttribute("width", edges[1] - edges[0]);
      }
      const values = lanes.map((lane) => [lane, lane.values[at]]).filter(([, value]) => value !== null && (figure.kind !== "sum" || value > 0));
      values.sort((a, b) => b[1] - a[1]);
      showTip(event, `${moment(columnAt(at))} to ${moment(columnAt(at + 1))}`, values.map(([lane, value]) => [lane, text(figure.unit, value)]));
    };
    svg.onpointerup = (event) => {
      const edges = start === null ? [0, 0] : [start, place(event)].sort((a, b) => a - b);
      start = null;
      band.setAttribute("width", 0);
      if (edges[1] - edges[0] < count / 80) return;
      const from = range[0] + Math.floor(edges[0] * merged);
      zoom([from, Math.min(data.columns, Math.max(from + 4, range[0] + Math.ceil(edges[1] * merged)))]);
    };
    svg.onpointerleave = svg.onpointercancel = () => {
      start = null;
      band.setAttribute("width", 0);
      cross.setAttribute("visibility", "hidden");
      tip.hidden = true;
    };
  };

  const tip = document.body.appendChild(document.createElement("div"));
  tip.id = "tip";
  tip.hidden = true;
  const showTip = (event, title, rows) => {
    const line = (content, ink) => {
      const div = document.createElement("div");
      if (ink) div.appendChild(document.createElement("i")).style.background = ink;
      div.append(content);
      return div;
    };
    tip.replaceChildren(line(title), ...rows.map(([lane, value]) => line(`${lane.name}: ${value}`, lane.ink)));
    tip.hidden = false;
    const { width, height } = tip.getBoundingClientRect();
    const left = event.clientX + 14 + width > innerWidth ? event.clientX - 14 - width : event.clientX + 14;
    tip.style.left = `${Math.max(4, left)}px`;
    tip.style.top = `${Math.min(event.clientY + 14, innerHeight - height - 4)}px`;
  };

  const back = document.getElementById("all");
  const drawAll = () => {
    for (const figure of data.figures) {
      if (figure.lanes.length === 0) continue;
      for (const svg of document.querySelectorAll(`#${figure.id} svg`)) draw(figure, svg);
    }
  };
  const zoom = (to) => {
    range = to;
    tip.hidden = true;
    const isAll = to[1] - to[0] === data.columns;
    if (back) {
      back.hidden = isAll;
      const shown = `${moment(to[0] * data.width)} to ${moment(to[1] * data.width)}; tables are of the whole log.`;
      document.querySelector("#tools output").textContent = isAll ? "Drag over a plot to zoom." : shown;
    }
    drawAll();
  };
  back?.addEventListener("click", () => zoom([0, data.columns]));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && back && !back.hidden) zoom([0, data.columns]);
  });
  document.getElementById("log")?.addEventListener("change", (event) => {
    isLog = event.target.checked;
    drawAll();
  });

  const rows = [...document.querySelectorAll("#keys tbody tr")];
  const search = document.querySelector("#keys input");
  search?.addEventListener("input", () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const row of rows) {
      const key = row.firstElementChild.textContent.toLowerCase();
      row.hidden = !words.every((word) => key.includes(word));
      found += row.hidden ? 0 : 1;
    }
    document.querySelector("#keys details").open = true;
    document.querySelector("#keys output").textContent = words.length ? `${found} of ${rows.length}` : "";
  });

  for (const tools of document.querySelectorAll(".script")) tools.hidden = false;
  drawAll();
})();
