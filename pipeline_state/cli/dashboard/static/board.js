// What HTML and htmx do not do by themselves: keys, and the word on whether the page is live.

const typing = (element) => element.closest("input, textarea, select, [contenteditable]");

// "/" finds, j and k go from row to row, Enter follows the row's link as it always does.
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const field = document.querySelector("[data-find]");
  if (event.key === "Escape" && event.target === field) return field.blur();
  if (typing(event.target)) return;
  if (event.key === "/" && field) {
    event.preventDefault();
    return field.select();
  }
  const step = { j: 1, k: -1, ArrowDown: 1, ArrowUp: -1 }[event.key];
  const rows = [...document.querySelectorAll("[data-row]")];
  if (!step || !rows.length) return;
  const at = rows.indexOf(document.activeElement);
  if (at < 0 && event.key.startsWith("Arrow")) return; // the page scrolls, until somebody walks the rows
  event.preventDefault();
  rows[Math.min(Math.max(at + step, 0), rows.length - 1)].focus();
});

const tell = (state, word) => {
  const live = document.getElementById("live");
  if (!live) return;
  live.dataset.state = state;
  live.querySelector(".word").textContent = word;
};
addEventListener("htmx:sseOpen", () => tell("on", "live"));
addEventListener("htmx:sseError", () => tell("off", "not connected"));
addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.requestConfig?.triggeringEvent?.type.startsWith("sse:"))
    document.getElementById("announce").textContent = `Updated at ${new Date().toLocaleTimeString()}`;
});
// What somebody has opened or closed stays so when its fragment is replaced.
let folded = [];
addEventListener("htmx:beforeSwap", () => {
  folded = [...document.querySelectorAll("details[id]")].map((each) => [each.id, each.open]);
});
addEventListener("htmx:afterSettle", () => {
  for (const [id, open] of folded.splice(0)) {
    const same = document.getElementById(id);
    if (same) same.open = open;
  }
});
// A fragment that could not be had is told in words; htmx itself leaves the old one.
addEventListener("htmx:responseError", (event) => {
  const page = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html");
  document.getElementById("trouble").textContent = (page.querySelector("main p") ?? page.querySelector("p"))?.textContent ?? "No answer";
});
addEventListener("htmx:sendError", () => tell("off", "the dashboard has ended"));
