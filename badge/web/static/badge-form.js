// The badge form: after each choice the server renders a new preview and new snippets; also tabs, copying and feedback.
// Without this script the form is submitted by its button, and all snippets are listed one below the other.

import { setUpCopying, say } from "./copying.js";

const WAIT_MILLISECONDS = 150;

let request = new AbortController();
let timer = 0;
// Whether the snippets match the choices: a promise while new ones are loading.
let settled = true;
// Whether the tabs of uncommon syntaxes are shown; null until "More" is pressed. Kept when a new preview is loaded.
let showsAll = null;

export const form = document.querySelector("[data-badge-form]");
const addressChoice = document.getElementById("choice-address");
const result = () => document.getElementById("badge-result");

// Whether the address bar should show the choices.
export const sharing = { isOn: true };

export function share() {
  if (sharing.isOn) history.replaceState(null, "", result().dataset.shared);
}

const tabsIn = (list) => [...list.querySelectorAll("[role=tab]")];
const visibleTabs = (list) => tabsIn(list).filter((tab) => tab.checkVisibility());

function selectTab(chosen, list) {
  form.elements.syntax.value = chosen.dataset.syntax;
  for (const tab of tabsIn(list)) {
    tab.ariaSelected = tab === chosen;
    tab.tabIndex = tab === chosen ? 0 : -1;
    document.getElementById(tab.getAttribute("aria-controls")).classList.toggle("unselected", tab !== chosen);
  }
}

function chooseTab(tab, list) {
  selectTab(tab, list);
  const shared = new URL(result().dataset.shared, location.href);
  shared.searchParams.set("syntax", tab.dataset.syntax);
  result().dataset.shared = `${shared.pathname}${shared.search}`;
  share();
}

// Tabs as in the ARIA Authoring Practices, with automatic activation: the arrow keys select.
function setUpTabs() {
  const list = result().querySelector("[role=tablist]");
  if (!list) return;
  for (const tab of tabsIn(list)) {
    const panel = document.getElementById(tab.getAttribute("aria-controls"));
    panel.role = "tabpanel";
    panel.setAttribute("aria-labelledby", tab.id);
  }
  const more = document.getElementById("more-syntaxes");
  if (showsAll !== null) more.ariaExpanded = showsAll;
  more.addEventListener("click", () => (more.ariaExpanded = showsAll = more.ariaExpanded === "false"));
  // Restores a choice that was made while these snippets were loading.
  const known = tabsIn(list).find((tab) => tab.dataset.syntax === form.elements.syntax.value);
  if (known && known.ariaSelected !== "true") selectTab(known, list);
  list.addEventListener("click", (event) => {
    const tab = event.target.closest("[role=tab]");
    if (tab) chooseTab(tab, list);
  });
  list.addEventListener("keydown", (event) => {
    const tabs = visibleTabs(list);
    const here = tabs.indexOf(document.activeElement);
    const there = { ArrowRight: here + 1, ArrowLeft: here - 1 + tabs.length, Home: 0, End: tabs.length - 1 }[event.key];
    if (here < 0 || there === undefined) return;
    event.preventDefault();
    const tab = tabs[there % tabs.length];
    chooseTab(tab, list);
    tab.focus();
  });
}

function setUp() {
  setUpCopying(result(), isSettled);
  setUpTabs();
}

// Live regions are announced only if the element stays and its text changes; fields stay to keep their focus.
function updateFields(page) {
  for (const old of document.querySelectorAll("#subject-fault, #subject-named, #max-age-fault")) {
    const current = page.getElementById(old.id);
    if (old.textContent !== current.textContent) old.replaceChildren(...document.adoptNode(current).childNodes);
  }
  for (const field of form.querySelectorAll("[aria-describedby]")) field.ariaInvalid = page.getElementById(field.id).ariaInvalid;
  // Only repositories on GitHub have a short URL.
  for (const attribute of ["hidden", "disabled"]) addressChoice[attribute] = page.getElementById(addressChoice.id)[attribute];
}

function showResult(page) {
  const focused = document.activeElement?.id;
  result().replaceWith(document.adoptNode(page.getElementById("badge-result")));
  updateFields(page);
  setUp();
  if (focused) document.getElementById(focused)?.focus();
  share();
}

// Only the server knows how to write snippets. Its answer replaces the old snippets, and the focus stays.
async function load({ signal }) {
  // The hash is for browsers without scripts, to scroll to the dialog.
  const address = `${form.action.split("#")[0]}?${new URLSearchParams(new FormData(form))}`;
  try {
    const answer = await fetch(address, { signal });
    if (!answer.ok) throw new Error(answer.statusText);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const isOurs = page.getElementById("badge-result") !== null;
    if (isOurs) showResult(page);
    // Another page, such as the login page, which leads back to these choices.
    else location.assign(address);
    return isOurs;
  } catch (error) {
    // A newer request has replaced this one.
    if (signal.aborted) return settled;
    result().ariaBusy = false;
    say("The service did not answer. Try again.");
    return false;
  }
}

// Marks the snippets as outdated until new ones are loaded.
function markOutdated() {
  clearTimeout(timer);
  request.abort();
  settled = false;
  result().classList.add("outdated");
  result().ariaBusy = true;
}

async function refresh() {
  markOutdated();
  request = new AbortController();
  const mine = (settled = load(request));
  const isDone = await mine;
  if (settled === mine) settled = isDone;
}

// Returns whether the snippets match the choices, or a promise of that while new ones are loading. Loads new ones now if
// the timer is still running or the last attempt failed.
function isSettled() {
  if (settled === false) {
    say("");
    refresh();
  }
  return settled;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  refresh();
});
form.addEventListener("input", () => {
  say("");
  markOutdated();
  timer = setTimeout(refresh, WAIT_MILLISECONDS);
});
setUp();
