// Dates in the browser's time zone, and one tab stop for all bars.

// This locale writes dates as 2026-11-23 12:00, as the page does.
const local = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "short" });
for (const time of document.querySelectorAll("time.date")) time.textContent = local.format(new Date(time.dateTime));

// The arrow keys move from bar to bar (ARIA's roving tabindex); without this script, each bar is a tab stop.
const bars = [...document.querySelectorAll(".bars a")];
const STEPS = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };

function choose(place, isFocused) {
  bars.forEach((bar, at) => (bar.tabIndex = at === place ? 0 : -1));
  if (isFocused) bars[place].focus();
}

if (bars.length) choose(bars.length - 1, false);
document.querySelector(".bars")?.addEventListener("keydown", (event) => {
  const step = STEPS[event.key];
  if (!step || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  event.preventDefault();
  const place = bars.indexOf(event.target.closest("a")) + step;
  choose(Math.min(Math.max(place, 0), bars.length - 1), true);
});
