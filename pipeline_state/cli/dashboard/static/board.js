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
  live.dataset.state = state;
  live.querySelector(".word").textContent = word;
};
// Of a fragment that could not be had, else of the stream, where what has changed cannot be told.
const troubles = { fragment: "", stream: "" };
const trouble = (whose, sentence) => {
  troubles[whose] = sentence;
  document.getElementById("trouble").textContent = troubles.fragment || troubles.stream;
};

// The stream of a page that is seen: of all tabs together, browsers keep six connections to a server. With every event
// the page's fragments are had anew: hx-trigger="news from:body". So they are whenever somebody listens again: what has
// changed and changed back meanwhile is no news to the server.
const renew = () => htmx.trigger(document.body, "news");
let heard = false;
const listen = (url) => {
  const stream = new EventSource(url);
  stream.onopen = () => {
    tell("on", "live");
    trouble("stream", "");
    if (heard) renew();
    heard = true;
  };
  stream.onerror = () => tell("off", "not connected");
  stream.addEventListener("trouble", (event) => trouble("stream", event.data));
  stream.addEventListener(new URL(url, location).searchParams.get("topic"), renew);
  return stream;
};
// Ages grow, and freezes end by themselves: hx-trigger="minute from:body".
const minute = () => document.hidden || htmx.trigger(document.body, "minute");
setInterval(minute, 60_000);
if (document.body.dataset.live) {
  let stream;
  const turn = () => {
    stream?.close();
    stream = document.hidden ? undefined : listen(document.body.dataset.live);
  };
  document.addEventListener("visibilitychange", turn);
  turn();
} else document.addEventListener("visibilitychange", minute);
addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.requestConfig?.triggeringEvent?.type === "news")
    document.getElementById("announce").textContent = `Updated at ${new Date().toLocaleTimeString()}`;
});

// A click is a button, or the space bar, that goes down and up on one element: while it is down nothing is replaced, and
// once it is up, what came meanwhile is had anew. What a reader has asked for, by a click or a key, comes at once.
let pressed = false, missed = false;
const press = (down) => {
  pressed = down;
  if (pressed || !missed) return;
  missed = false;
  renew();
};
// Where a menu swallows the end, the next move tells of it; where another window does, that this one is left.
addEventListener("blur", () => press(false));
for (const name of ["pointerdown", "pointermove", "pointerup", "pointercancel"])
  addEventListener(name, (event) => press(event.buttons > 0), true);
for (const name of ["keydown", "keyup"])
  addEventListener(name, (event) => event.key === " " && press(name === "keydown"), true);
// Captured, so that those who prepare for a swap, here and in commit.js, know that there is none.
addEventListener("htmx:beforeSwap", (event) => {
  if (!pressed || !event.detail.shouldSwap || event.detail.requestConfig.triggeringEvent?.isTrusted) return;
  missed = true;
  event.detail.shouldSwap = false;
}, true);

// What somebody has opened or closed stays so when its fragment is replaced.
const choices = new Map();
addEventListener("click", (event) => {
  const details = event.target.closest("summary")?.parentElement;
  if (details?.id) choices.set(details.id, !details.open);
});
addEventListener("htmx:afterSettle", () => {
  for (const [id, open] of choices) {
    const same = document.getElementById(id);
    if (same) same.open = open;
  }
});
// When a fragment is replaced, what has the focus keeps it, what is scrolled stays so, and what is read stays where it is.
// What has no id is known again by what it is in, its tag and its labels. Fields are in no fragment that is replaced.
const labels = ["href", "aria-label", "aria-labelledby", "data-wf"];
const likeness = (element) =>
  JSON.stringify([element.closest("[id]")?.id, element.tagName, ...labels.map((name) => element.getAttribute(name))]);
const alike = (known) => [...document.querySelectorAll("main *")].find((each) => likeness(each) === known);
addEventListener("htmx:beforeSwap", (event) => {
  if (!event.detail.shouldSwap) return;
  const focused = document.activeElement, known = likeness(focused);
  const scrolled = [...document.querySelectorAll("main *")].filter((each) => each.scrollTop || each.scrollLeft)
    .map((each) => [each, likeness(each), each.scrollTop, each.scrollLeft]);
  const top = (element) => element.getBoundingClientRect().top;
  const read = [...document.querySelectorAll("main [id]")].findLast((each) => top(each) <= 0 && each.getBoundingClientRect().bottom > 0);
  const before = read && top(read);
  const again = () => {
    if (!focused.isConnected) alike(known)?.focus({ preventScroll: true });
    for (const [each, known, down, along] of scrolled) if (!each.isConnected) alike(known)?.scrollTo(along, down);
    const same = read && document.getElementById(read.id);
    if (same) scrollBy(0, top(same) - before);
  };
  addEventListener("htmx:afterSettle", again, { once: true });
});
// A fragment that could not be had is told in words, until it can be; htmx itself leaves the old one.
let missing;
const fail = (event, sentence) => {
  missing = event.detail.pathInfo.requestPath;
  trouble("fragment", sentence);
};
addEventListener("htmx:responseError", (event) => {
  const page = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html");
  fail(event, (page.querySelector("main p") ?? page.querySelector("p"))?.textContent ?? "No answer");
});
addEventListener("htmx:sendError", (event) => fail(event, "The dashboard does not answer: it has ended."));
addEventListener("htmx:afterRequest", (event) => {
  if (!event.detail.successful || event.detail.pathInfo.requestPath !== missing) return;
  missing = undefined;
  trouble("fragment", "");
});
