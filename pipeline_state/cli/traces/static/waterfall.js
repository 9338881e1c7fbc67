// The waterfall's zoom: a window on its positions, which are the percents that the server has drawn the bars at.
// Positions follow time by straight lines between points; with pauses unfolded, by one.
(() => {
  "use strict";
  const NARROWEST = 0.02;
  const kept = new Map(); // by trace: a page that renews the waterfall finds it as it was

  const clock = (ms) => new Date(ms).toISOString().slice(11, 23);

  function span(ms) {
    if (ms < 1000) return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
    const seconds = ms / 1000;
    if (seconds < 60) return `${seconds.toFixed(2)} s`;
    const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
    const at = units.findIndex(([size]) => seconds >= size);
    const rest = Math.floor((seconds % units[at][0]) / (units[at + 1]?.[0] ?? 1));
    return `${Math.floor(seconds / units[at][0])} ${units[at][1]}${rest && units[at + 1] ? ` ${rest} ${units[at + 1][1]}` : ""}`;
  }

  function along(points, value, from, to) {
    const after = points.findIndex((point) => point[from] > value);
    if (after === 0) return points[0][to];
    if (after < 0) return points[points.length - 1][to];
    const [low, high] = [points[after - 1], points[after]];
    return low[to] + ((high[to] - low[to]) * (value - low[from])) / (high[from] - low[from]);
  }

  function start(root) {
    if (root.dataset.wfStarted) return;
    root.dataset.wfStarted = "yes";
    const { origin, points: folded } = JSON.parse(root.dataset.points);
    const even = [[folded[0][0], 0], [folded[folded.length - 1][0], 100]];
    const rows = [...root.querySelectorAll("tbody tr")].map((row) => ({
      row, depth: +row.dataset.depth, start: +row.dataset.start, end: +row.dataset.end,
      bar: row.querySelector(".wf-bar"), note: row.querySelector(".wf-note"), folds: [...row.querySelectorAll(".wf-fold")].map((line) => [line, parseFloat(line.getAttribute("x1"))]),
    }));
    const state = kept.get(root.dataset.waterfall) ?? { from: 0, to: 100, fold: true, closed: new Set() };
    kept.set(root.dataset.waterfall, state);
    const find = (selector) => root.querySelector(selector);
    const scale = () => (state.fold ? folded : even);
    const place = (ms) => along(scale(), ms, 0, 1);
    const percent = (position) => (100 * (position - state.from)) / (state.to - state.from);

    function draw() {
      for (const each of rows) {
        const left = percent(place(each.start)), right = percent(place(each.end));
        each.bar.setAttribute("x", `${Math.max(left, -1)}%`);
        each.bar.setAttribute("width", `${Math.max(0.05, Math.min(right, 101) - Math.max(left, -1))}%`);
        if (each.note) each.note.style.paddingInlineStart = `${Math.min(60, Math.max(0, left))}%`;
        each.bar.style.visibility = right < 0 || left > 100 ? "hidden" : "visible";
        for (const [line, at] of each.folds) {
          line.style.display = state.fold ? "" : "none";
          line.setAttribute("x1", `${percent(at)}%`);
          line.setAttribute("x2", `${percent(at)}%`);
        }
      }
      const chosen = find(".wf-chosen");
      chosen.setAttribute("x", `${state.from}%`);
      chosen.setAttribute("width", `${state.to - state.from}%`);
      const times = [0, 1 / 3, 2 / 3, 1].map((part) => along(scale().map(([ms, at]) => [at, ms]), state.from + part * (state.to - state.from), 0, 1));
      const ticks = find(".wf-axis");
      ticks.replaceChildren(...times.map((ms) => Object.assign(document.createElement("span"), { className: "wf-tick", textContent: clock(origin + ms).slice(0, times[3] - times[0] < 10000 ? 12 : 8) })));
      find(".wf-window").textContent = state.from > 0 || state.to < 100 ? `${span(times[3] - times[0])} of ${span(folded[folded.length - 1][0] - folded[0][0])}` : "";
    }

    function drawMap() {
      const height = Math.max(1, Math.min(4, 40 / rows.length));
      find(".wf-map").replaceChildren(...rows.map((each, number) => {
        const mark = document.createElementNS("http://www.w3.org/2000/svg", "rect");
        mark.setAttribute("class", each.row.getAttribute("class"));
        mark.setAttribute("x", `${place(each.start)}%`);
        mark.setAttribute("width", `${Math.max(0.15, place(each.end) - place(each.start))}%`);
        mark.setAttribute("y", (2 + (40 * number) / rows.length).toFixed(1));
        mark.setAttribute("height", height);
        return mark;
      }));
    }

    function look(from, to) {
      const wide = Math.min(100, Math.max(NARROWEST, to - from));
      state.from = Math.min(Math.max(0, from), 100 - wide);
      state.to = state.from + wide;
      draw();
    }

    const zoom = (factor, at = (state.from + state.to) / 2) =>
      look(at - (at - state.from) * factor, at + (state.to - at) * factor);
    const shift = (part) => look(state.from + part * (state.to - state.from), state.to + part * (state.to - state.from));
    const actions = {
      in: () => zoom(0.5), out: () => zoom(2), left: () => shift(-0.3), right: () => shift(0.3), all: () => look(0, 100),
    };
    const keys = { "+": "in", "=": "in", "-": "out", "0": "all", ArrowLeft: "left", ArrowRight: "right" };

    function foldRows() {
      let under = Infinity;
      for (const each of rows) {
        if (each.depth <= under) under = Infinity;
        each.row.hidden = under !== Infinity;
        if (under === Infinity && state.closed.has(each.row.id)) under = each.depth;
      }
    }

    rows.forEach((each, number) => {
      if (!(rows[number + 1]?.depth > each.depth)) {
        each.row.querySelector("th").prepend(Object.assign(document.createElement("span"), { className: "wf-twist" }));
        return;
      }
      const twist = Object.assign(document.createElement("button"), { type: "button", className: "wf-twist" });
      const show = () => {
        const open = !state.closed.has(each.row.id);
        twist.textContent = open ? "▾" : "▸";
        twist.setAttribute("aria-expanded", open);
        twist.setAttribute("aria-label", `Spans under ${each.row.querySelector("summary").firstChild.textContent.trim()}`);
      };
      twist.addEventListener("click", () => {
        state.closed.has(each.row.id) ? state.closed.delete(each.row.id) : state.closed.add(each.row.id);
        show();
        foldRows();
      });
      show();
      each.row.querySelector("th").prepend(twist);
    });

    root.addEventListener("click", (event) => actions[event.target.dataset?.wf]?.());
    root.addEventListener("change", (event) => {
      if (event.target.dataset.wf !== "fold") return;
      state.fold = event.target.checked;
      drawMap();
      look(0, 100);
    });
    root.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input")) return;
      if (!keys[event.key]) return;
      event.preventDefault();
      actions[keys[event.key]]();
    });
    root.addEventListener("dblclick", (event) => {
      const lane = event.target.closest(".wf-lane");
      const each = lane && rows.find(({ row }) => row === lane.parentElement);
      if (!each) return;
      const left = place(each.start), right = place(each.end), room = Math.max(0.1, (right - left) * 0.1);
      look(left - room, right + room);
    });
    root.addEventListener("wheel", (event) => {
      const lane = event.target.closest(".wf-lane");
      if (!lane || !event.ctrlKey) return;
      event.preventDefault();
      const box = lane.getBoundingClientRect();
      zoom(event.deltaY < 0 ? 0.8 : 1.25, state.from + ((event.clientX - box.left) / box.width) * (state.to - state.from));
    }, { passive: false });

    const overview = find(".wf-overview");
    let pressed = null;
    const pointed = (event) => {
      const box = overview.getBoundingClientRect();
      return Math.min(100, Math.max(0, (100 * (event.clientX - box.left)) / box.width));
    };
    overview.addEventListener("pointerdown", (event) => {
      pressed = pointed(event);
      overview.setPointerCapture(event.pointerId);
    });
    overview.addEventListener("pointermove", (event) => {
      if (pressed === null) return;
      const at = pointed(event);
      if (Math.abs(at - pressed) > 0.5) look(Math.min(at, pressed), Math.max(at, pressed));
    });
    overview.addEventListener("pointerup", () => { pressed = null; });

    const box = find("[data-wf=fold]");
    if (box) box.checked = state.fold;
    find(".wf-tools").hidden = false;
    overview.hidden = false;
    drawMap();
    foldRows();
    draw();
  }

  const startAll = () => document.querySelectorAll("[data-waterfall]").forEach(start);
  document.addEventListener("htmx:afterSettle", startAll);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", startAll);
  else startAll();
})();
