// The badge form: after each choice the server renders new snippets; also tabs, copying and feedback.
// Without this script the form is submitted by its button, and all snippets are listed below each other.

import { dressCopies, say } from "./copying.js";

const WAIT_MILLISECONDS = 150;

let request = new AbortController();
let timer = 0;
// Whether the snippets match the choices: a promise while new ones are loading.
let settled = true;

export const form = document.querySelector("[data-badge-form]");
const addressChoice = document.getElementById("choice-address");
const result = () => document.getElementById("badge-result");

// Whether the address bar should show the choices.
export const sharing = { isOn: true };

export function share() {
  if (sharing.isOn) history.replaceState(null, "", result().dataset.shared);
}

function selectSyntax(syntax, tabs) {
  form.elements.syntax.value = syntax;
  for (const tab of tabs) {
    const isChosen = tab.dataset.syntax === syntax;
    tab.ariaSelected = isChosen;
    tab.tabIndex = isChosen ? 0 : -1;
    document.getElementById(tab.getAttribute("aria-controls")).hidden = !isChosen;
  }
}

function choose(tab, tabs) {
  selectSyntax(tab.dataset.syntax, tabs);
  const shared = new URL(result().dataset.shared, location.href);
  shared.searchParams.set("syntax", tab.dataset.syntax);
  result().dataset.shared = `${shared.pathname}${shared.search}`;
  share();
}

function tabOf(section) {
  const { syntax } = section.dataset;
  const heading = section.querySelector("h3");
  const tab = Object.assign(document.createElement("button"), { type: "button", role: "tab", id: `tab-${syntax}` });
  tab.dataset.syntax = syntax;
  tab.textContent = heading.textContent;
  tab.setAttribute("aria-controls", `panel-${syntax}`);
  heading.classList.add("hidden");
  Object.assign(section, { id: `panel-${syntax}`, role: "tabpanel" });
  section.setAttribute("aria-labelledby", tab.id);
  return tab;
}

// Tabs as in the ARIA Authoring Practices, with automatic activation: the arrow keys select.
function makeTabs() {
  const sections = [...result().querySelectorAll(".snippet")].filter((section) => section.dataset.syntax !== "url");
  if (!sections.length) return;
  const list = Object.assign(document.createElement("div"), { role: "tablist", ariaLabel: "Syntax" });
  list.append(...sections.map(tabOf));
  sections[0].before(list);
  const tabs = [...list.children];
  const known = tabs.find((tab) => tab.dataset.syntax === form.elements.syntax.value) ?? tabs[0];
  selectSyntax(known.dataset.syntax, tabs);
  list.addEventListener("click", (event) => {
    const tab = event.target.closest("[role=tab]");
    if (tab) choose(tab, tabs);
  });
  list.addEventListener("keydown", (event) => {
    const here = tabs.indexOf(document.activeElement);
    const there = { ArrowRight: here + 1, ArrowLeft: here - 1 + tabs.length, Home: 0, End: tabs.length - 1 }[event.key];
    if (here < 0 || there === undefined) return;
    event.preventDefault();
    const tab = tabs[there % tabs.length];
    choose(tab, tabs);
    tab.focus();
  });
}

function dress() {
  dressCopies(result(), isSettled);
  makeTabs();
}

// Live regions are announced only if the element stays and its text changes; fields stay to keep their focus.
function follow(page) {
  for (const old of document.querySelectorAll("#subject-fault, #subject-named, #max-age-fault")) {
    const { textContent } = page.getElementById(old.id);
    if (old.textContent !== textContent) old.textContent = textContent;
  }
  for (const field of form.querySelectorAll("[aria-describedby]")) field.ariaInvalid = page.getElementById(field.id).ariaInvalid;
  // Only repositories on GitHub have a short URL.
  for (const attribute of ["hidden", "disabled"]) addressChoice[attribute] = page.getElementById(addressChoice.id)[attribute];
}

function put(page) {
  const focused = document.activeElement?.id;
  result().replaceWith(document.adoptNode(page.getElementById("badge-result")));
  follow(page);
  dress();
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
    if (isOurs) put(page);
    // Another page, such as the login page, which returns to these choices.
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
function outdate() {
  clearTimeout(timer);
  request.abort();
  settled = false;
  result().classList.add("outdated");
  result().ariaBusy = true;
}

async function refresh() {
  outdate();
  request = new AbortController();
  const mine = (settled = load(request));
  const isDone = await mine;
  if (settled === mine) settled = isDone;
}

// Loads new snippets at once instead of waiting for the timer, and retries after a failure.
function isSettled() {
  if (settled === false) {
    say("");
    refresh();
  }
  return settled;
}

// On a phone the snippets come first, unless a choice is invalid.
const looks = form.querySelector(".looks");
if (matchMedia("(max-width: 40rem)").matches) looks.open = looks.querySelector("[aria-invalid]") !== null;
form.addEventListener("submit", (event) => {
  event.preventDefault();
  refresh();
});
form.addEventListener("input", () => {
  say("");
  outdate();
  timer = setTimeout(refresh, WAIT_MILLISECONDS);
});
dress();
