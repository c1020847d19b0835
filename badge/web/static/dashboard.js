// Search as you type, and refresh the list: the server's results replace the old ones. Without this script the form's
// button searches.

const WAIT_MILLISECONDS = 150;
const SHOW_PROGRESS_AFTER_MILLISECONDS = 200;
const REFRESH_MILLISECONDS = 30_000;
const UPDATED = "Updates every 30 s";

const form = document.getElementById("search");
const loading = document.getElementById("loading");
const announced = document.getElementById("announced");

let request = new AbortController();
let timer = 0;

function say(words, isFault) {
  announced.textContent = words;
  announced.classList.toggle("hidden", !isFault);
  announced.classList.toggle("fault", isFault);
}

async function show(address) {
  request.abort();
  request = new AbortController();
  const { signal } = request;
  const found = document.getElementById("found");
  const late = setTimeout(() => (loading.hidden = false), SHOW_PROGRESS_AFTER_MILLISECONDS);
  found.ariaBusy = true;
  try {
    const answer = await fetch(address, { signal });
    const seconds = answer.status === 503 && Number(answer.headers.get("Retry-After"));
    if (seconds) {
      say("The service is busy; these are the previous results. Trying again …", true);
      timer = setTimeout(search, seconds * 1000);
      return;
    }
    const made = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("found");
    if (!made) return location.assign(address);
    replace(found, made);
    say(made.dataset.announced, false);
    history.replaceState(null, "", address);
  } catch (error) {
    // The old results stay; navigating would replace them with the browser's error page.
    if (error.name !== "AbortError") say("The service did not answer; these are the previous results. Try again.", true);
  } finally {
    clearTimeout(late);
    if (!signal.aborted) {
      loading.hidden = true;
      found.ariaBusy = false;
    }
  }
}

// Keeps the focus, which would be lost with the old link.
function replace(found, made) {
  const focused = found.contains(document.activeElement) && document.activeElement.getAttribute("href");
  found.replaceChildren(...document.adoptNode(made).childNodes);
  if (focused) found.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

function chosen() {
  const chosen = new URLSearchParams(new FormData(form));
  for (const [name, value] of [...chosen]) if (!value || value === form.elements[name].options?.[0].value) chosen.delete(name);
  return chosen;
}

function search() {
  clearTimeout(timer);
  const query = chosen().toString();
  show(query ? `${form.action}?${query}` : form.action);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  search();
});
form.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(search, WAIT_MILLISECONDS);
});

// Status links belong to the previous search; more text may have been typed since.
document.addEventListener("click", ({ target, ctrlKey, metaKey, shiftKey }) => {
  const link = target.closest(".statuses a");
  if (!link) return;
  const isOpenedElsewhere = ctrlKey || metaKey || shiftKey;
  if (!isOpenedElsewhere) clearTimeout(timer);
  const address = new URL(link.href);
  for (const name of ["q", "sort", "platform", "account", "failed", "no_success"]) {
    const value = chosen().get(name);
    if (value) address.searchParams.set(name, value);
    else address.searchParams.delete(name);
  }
  link.href = address;
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea, [contenteditable]")) return;
  event.preventDefault();
  form.elements.q.focus();
});

// --- refresh ---

const live = document.getElementById("live");
const state = live.querySelector("span");
const pause = live.querySelector("button");

let isPaused = false;
let refreshed = Date.now();

function describe(words) {
  if (state.textContent !== words) state.textContent = words;
}

async function refresh() {
  if (isPaused || document.hidden || Date.now() - refreshed < REFRESH_MILLISECONDS) return;
  const found = document.getElementById("found");
  // A running search brings new results anyway, and replacing the list would lose a selection.
  const isSelected = !getSelection().isCollapsed && getSelection().containsNode(found, true);
  if (found.ariaBusy === "true" || isSelected) return;
  refreshed = Date.now();
  const { href } = location;
  const { signal } = request;
  try {
    const answer = await fetch(href, { signal });
    const made = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("found");
    if (signal.aborted || isPaused) return;
    if (made) replace(found, made);
    describe(made ? UPDATED : "Not updated; reload this page.");
  } catch (error) {
    if (error.name !== "AbortError" && !isPaused) describe("Not updated; the service did not answer.");
  }
}

function showState() {
  if (isPaused) describe("Paused");
  else if (document.hidden) describe("Paused while this tab is in the background");
  else {
    describe(UPDATED);
    refresh();
  }
}

pause.addEventListener("click", () => {
  isPaused = !isPaused;
  pause.setAttribute("aria-pressed", isPaused);
  showState();
});
document.addEventListener("visibilitychange", showState);
setInterval(refresh, 1000);
