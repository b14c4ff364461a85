// Sorting, filtering and loss curves of the leaderboard. Without it the page is still a table.
"use strict";

const CURVES = window.CURVES || {};
const FILTERS = ["track", "arch", "backend", "q"];
const form = document.getElementById("filters");
const tracks = [...document.querySelectorAll(".track")].map(section => ({
  section,
  id: section.dataset.track,
  body: section.querySelector(".entries tbody"),
  headers: [...section.querySelectorAll(".entries thead th")],
  rows: [...section.querySelectorAll(".entries tbody tr")],
}));
let sorted = {key: "place", down: false};

// Sorting: numbers by their value, text by the reader's alphabet, what is missing last.

function valueOf(row, column) {
  const cell = row.cells[column];
  return cell.dataset.v === undefined ? cell.textContent.trim() : Number(cell.dataset.v);
}

function compared(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), undefined, {numeric: true, sensitivity: "base"});
}

function sort(key, down) {
  sorted = {key, down};
  for (const {body, headers, rows} of tracks) {
    const column = headers.findIndex(header => header.dataset.key === key);
    if (column < 0) continue;
    const keyed = rows.map((row, place) => ({row, place, value: valueOf(row, column)}));
    keyed.sort((a, b) => {
      if ((a.value === "") !== (b.value === "")) return a.value === "" ? 1 : -1;
      return (down ? -1 : 1) * compared(a.value, b.value) || a.place - b.place;
    });
    body.append(...keyed.map(one => one.row));
    for (const header of headers) {
      if (header.dataset.key === key) {
        header.setAttribute("aria-sort", down ? "descending" : "ascending");
      } else header.removeAttribute("aria-sort");
    }
  }
}

function addButtons() {
  for (const {headers} of tracks) {
    for (const header of headers.filter(one => one.dataset.key)) {
      const button = document.createElement("button");
      button.type = "button";
      const words = document.createElement("span");
      words.append(...header.childNodes);
      button.append(words);
      button.addEventListener("click", () => {
        const {key} = header.dataset;
        sort(key, sorted.key === key && !sorted.down);
        remember();
      });
      header.append(button);
    }
  }
}

// Filtering, with its state in the address, so that a view can be sent to somebody.

function filter() {
  const wanted = Object.fromEntries(FILTERS.map(name => [name, form.elements[name].value]));
  // Of an id the page knows the first twelve digits.
  const words = wanted.q.toLowerCase().split(/\s+/).filter(Boolean)
    .map(word => /^[0-9a-f]{13,64}$/.test(word) ? word.slice(0, 12) : word);
  let shown = 0, all = 0;
  for (const {section, id, rows} of tracks) {
    const here = !wanted.track || wanted.track === id;
    let left = 0;
    for (const row of rows) {
      row.text ??= `${row.textContent} ${row.dataset.id} ${row.dataset.runs}`.toLowerCase();
      const fits = (!wanted.arch || row.dataset.arch === wanted.arch)
        && (!wanted.backend || row.dataset.backend === wanted.backend)
        && words.every(word => row.text.includes(word));
      row.hidden = !fits;
      left += fits;
    }
    section.hidden = !here;
    section.querySelector(".none").hidden = left > 0;
    section.querySelector(".scroll").hidden = left === 0;
    shown += here ? left : 0;
    all += rows.length;
  }
  document.getElementById("count").value = `${shown} of ${all} ${all === 1 ? "entry" : "entries"}`;
}

function remember() {
  const state = new URLSearchParams();
  for (const name of FILTERS) if (form.elements[name].value) state.set(name, form.elements[name].value);
  if (sorted.key !== "place" || sorted.down) state.set("sort", (sorted.down ? "-" : "") + sorted.key);
  history.replaceState(null, "", `#${state}`);
}

function recall() {
  const hash = location.hash.slice(1);
  if (hash && !hash.includes("=")) {  // a place in the page; a hidden track comes out for it
    const target = document.getElementById(hash);
    if (target?.hidden) {
      form.elements.track.value = "";
      filter();
      target.scrollIntoView();
    }
    return;
  }
  const state = new URLSearchParams(hash);
  for (const name of FILTERS) {
    const field = form.elements[name];
    field.value = state.get(name) ?? "";
    if (field.selectedIndex === -1) field.value = "";  // not among the choices here
  }
  const [, minus, key] = /^(-?)([a-z]+)$/.exec(state.get("sort") ?? "") ?? [];
  const known = key !== undefined && tracks[0]?.headers.some(header => header.dataset.key === key);
  sort(known ? key : "place", known && minus === "-");
  filter();
}

// Loss curves of the ticked entries.

const WIDE = {width: 960, height: 340, left: 52, right: 14, top: 28, bottom: 42};
const NARROW = {width: 640, height: 440, left: 72, right: 10, top: 38, bottom: 62};

function drawn(name, attributes, parent, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent?.append(element);
  return element;
}

function ticksOf(low, high) {
  const rough = (high - low) / 6, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map(n => n * power).find(n => n >= rough);
  const digits = Math.max(0, Math.min(6, Math.ceil(1 - Math.log10(step))));
  const ticks = [];
  for (let n = Math.ceil(low / step); n * step <= high; n++) ticks.push((n * step).toFixed(digits));
  return ticks;
}

function rangeOf(lines) {
  const all = lines.flatMap(line => line.points).filter(([, nats]) => nats !== null);
  const settled = all.filter(([share]) => share >= 0.05);
  const values = (settled.length ? settled : all).map(([, nats]) => nats);
  const low = Math.min(...values), high = Math.max(...values);
  const pad = 0.05 * (high - low) || 0.5;
  return [Math.max(0, low - pad), high + pad];
}

function pathOf(points, x, y) {
  let path = "", pen = "M";
  for (const [share, nats] of points) {
    if (nats === null) pen = "M";
    else {
      path += `${pen}${x(share).toFixed(1)} ${y(nats).toFixed(1)}`;
      pen = "L";
    }
  }
  return path;
}

function axes(svg, box, low, high, x, y) {
  const right = box.width - box.right, bottom = box.height - box.bottom;
  for (const tick of ticksOf(low, high)) {
    drawn("path", {class: "grid", d: `M${box.left} ${y(tick)}H${right}`}, svg);
    drawn("text", {x: box.left - 8, y: y(tick), dy: ".32em", "text-anchor": "end"}, svg, tick);
  }
  const line = box === WIDE ? 20 : 26;
  for (const share of [0, 0.2, 0.4, 0.6, 0.8, 1]) {
    const at = {x: x(share), y: bottom + line, "text-anchor": "middle"};
    drawn("text", at, svg, `${Math.round(100 * share)}%`);
  }
  const middle = {x: (box.left + right) / 2, y: box.height - 4, "text-anchor": "middle"};
  drawn("text", middle, svg, "share of the budget spent");
  drawn("text", {x: 0, y: box === WIDE ? 12 : 18}, svg, "loss, nats per token");
  drawn("path", {class: "axis", d: `M${box.left} ${box.top}V${bottom}H${right}`}, svg);
}

// Colour and marker are those of the architecture; further lines of one are dashed.
const DASHES = 8, MARKERS = 8;

function linesOf({rows}) {
  const taken = {};
  return rows.filter(row => row.querySelector(".pick input")?.checked).map(row => {
    const {series} = row.dataset, dash = taken[series] = (taken[series] ?? -1) + 1;
    return {
      name: row.querySelector(".name a").textContent.trim(),
      points: CURVES[row.dataset.id] ?? [],
      series,
      isBound: "bound" in row.dataset,
      style: `line series-${series} dash-${dash % DASHES}`,
    };
  });
}

function marker(line, x, y, parent) {
  const style = `shape series-${line.series}${line.isBound ? " hollow" : ""}`;
  const at = {class: style, x: x - 6, y: y - 6, width: 12, height: 12, href: `#shape-${line.series}`};
  drawn("use", at, parent);
}

function legendOf(lines, list) {
  list.replaceChildren(...lines.map(line => {
    const item = document.createElement("li");
    const sample = drawn("svg", {viewBox: "0 0 34 12", "aria-hidden": "true"}, item);
    drawn("path", {class: line.style, d: "M0 6H34"}, sample);
    marker(line, 17, 6, sample);
    const name = document.createElement("span");
    name.textContent = name.title = line.name;
    line.value = document.createElement("output");
    item.append(name, line.value);
    return item;
  }));
}

function draw(track) {
  const figure = track.section.querySelector(".curves");
  if (!figure) return;
  const holder = figure.querySelector(".curves-plot"), lines = linesOf(track);
  legendOf(lines, figure.querySelector(".curves-legend"));
  if (!lines.length) {
    holder.textContent = "Tick entries in the table to see their loss.";
    return;
  }
  const box = holder.clientWidth < 560 ? NARROW : WIDE;
  const [low, high] = rangeOf(lines);
  const right = box.width - box.right, bottom = box.height - box.bottom;
  const x = share => box.left + share * (right - box.left);
  const y = nats => bottom - (nats - low) / (high - low) * (bottom - box.top);
  const title = `Training loss of ${lines.map(line => line.name).join(", ")}`;
  const svg = drawn("svg", {viewBox: `0 0 ${box.width} ${box.height}`, role: "img", "aria-label": title});
  const clip = `inside-${track.id}`;
  const inside = {x: box.left, y: box.top, width: right - box.left, height: bottom - box.top};
  drawn("rect", inside, drawn("clipPath", {id: clip}, drawn("defs", {}, svg)));
  axes(svg, box, low, high, x, y);
  const group = drawn("g", {"clip-path": `url(#${clip})`}, svg);
  for (const line of lines) {
    drawn("title", {}, drawn("path", {class: line.style, d: pathOf(line.points, x, y)}, group), line.name);
  }
  lines.forEach((line, place) => {  // markers of lines stand apart
    const known = line.points.filter(([, nats]) => nats !== null && nats >= low && nats <= high);
    const step = Math.max(1, Math.floor(known.length / MARKERS));
    for (let n = (place * 3) % step; n < known.length; n += step) {
      marker(line, x(known[n][0]), y(known[n][1]), svg);
    }
  });
  follow(svg, lines, box, x);
  holder.replaceChildren(svg);
}

// Under the pointer, the legend tells every line's loss.
function follow(svg, lines, box, x) {
  const cursor = drawn("path", {class: "cursor"}, svg);
  svg.addEventListener("pointermove", event => {
    const frame = svg.getBoundingClientRect();
    const at = (event.clientX - frame.left) / frame.width * box.width;
    const share = Math.max(0, Math.min(1, (at - x(0)) / (x(1) - x(0))));
    cursor.setAttribute("d", `M${x(share)} ${box.top}V${box.height - box.bottom}`);
    for (const line of lines) {
      let nearest = null;
      for (const point of line.points) {
        if (!nearest || Math.abs(point[0] - share) < Math.abs(nearest[0] - share)) nearest = point;
      }
      line.value.value = nearest === null || nearest[1] === null ? "" : nearest[1].toFixed(3);
    }
  });
  svg.addEventListener("pointerleave", () => {
    cursor.removeAttribute("d");
    for (const line of lines) line.value.value = "";
  });
}

function start() {
  addButtons();
  form.hidden = false;
  for (const track of tracks) {
    const figure = track.section.querySelector(".curves");
    if (!figure) continue;
    figure.hidden = false;
    for (const box of track.section.querySelectorAll(".pick input")) box.hidden = false;
    track.body.addEventListener("change", () => draw(track));
  }
  recall();
  tracks.forEach(draw);
  form.addEventListener("submit", event => event.preventDefault());
  form.addEventListener("input", () => { filter(); remember(); });
  form.addEventListener("reset", () => setTimeout(() => { filter(); remember(); }));
  window.addEventListener("hashchange", recall);
  const narrow = window.matchMedia("(max-width: 40rem)");
  narrow.addEventListener("change", () => tracks.forEach(draw));
  window.addEventListener("pageshow", event => {
    // Come back to: browsers restore ticks and choices after this script has run.
    if (event.persisted || performance.getEntriesByType("navigation")[0]?.type === "back_forward") {
      recall();
      tracks.forEach(draw);
    }
  });
}

start();
