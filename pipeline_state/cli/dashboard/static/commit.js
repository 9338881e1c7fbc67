// The page of a commit: its dialog, and what a reader has opened stays open when a part of the page comes anew.

const dialog = document.getElementById("act");
const body = document.getElementById("act-body");

let opener, known; // what the dialog was opened by: it may be replaced meanwhile
addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.target === body && !dialog.open) [opener, known] = [event.detail.elt, likeness(event.detail.elt)];
});
addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target !== body) return;
  if (!dialog.open) dialog.showModal();
  body.querySelector("[autofocus], .confirm, [data-close]")?.focus();
});
body.addEventListener("click", (event) => {
  if (!event.target.closest("[data-close]")) return;
  event.preventDefault();
  dialog.close();
});
dialog.addEventListener("close", () => {
  if (!opener.isConnected) alike(known)?.focus();
});
// Once is enough; whoever is faster than this is told what came of the first.
body.addEventListener("submit", (event) => {
  event.target.querySelector(".confirm").disabled = true;
});
addEventListener("pageshow", () => body.querySelector(".confirm")?.removeAttribute("disabled"));

// Captured, so that it is open again before board.js puts back what is read below it.
addEventListener("htmx:beforeSwap", (event) => {
  if (!event.detail.shouldSwap) return;
  const selector = (each) => (each.id ? `#${CSS.escape(each.id)}` : `#${CSS.escape(each.closest("[id]").id)} details`);
  const open = [...document.querySelectorAll("main details[open]")].map(selector);
  const again = () => open.forEach((each) => document.querySelector(each)?.setAttribute("open", ""));
  addEventListener("htmx:afterSettle", again, { once: true });
}, true);
// What was done is told once, and not again when the page is loaded anew.
if (document.getElementById("done")) history.replaceState(null, "", location.pathname);
