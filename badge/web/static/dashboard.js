// Search as you type: what the server finds replaces what is there. Without this script the form's button searches.

const WAIT_MILLISECONDS = 150;
const SHOW_PROGRESS_AFTER_MILLISECONDS = 200;

const form = document.getElementById("search");
const loading = document.getElementById("loading");
const announced = document.getElementById("announced");

let asked = new AbortController();
let timer = 0;

async function show(address) {
  asked.abort();
  asked = new AbortController();
  const { signal } = asked;
  const found = document.getElementById("found");
  const late = setTimeout(() => (loading.hidden = false), SHOW_PROGRESS_AFTER_MILLISECONDS);
  found.ariaBusy = true;
  try {
    const answer = await fetch(address, { signal });
    const made = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("found");
    if (!made) return location.assign(address);
    found.replaceChildren(...document.adoptNode(made).childNodes);
    announced.textContent = made.dataset.announced;
    history.replaceState(null, "", address);
  } catch (error) {
    if (error.name !== "AbortError") location.assign(address);
  } finally {
    clearTimeout(late);
    if (!signal.aborted) {
      loading.hidden = true;
      found.ariaBusy = false;
    }
  }
}

function search() {
  const chosen = new URLSearchParams(new FormData(form));
  for (const [name, value] of [...chosen]) if (!value || value === form.elements[name].options?.[0].value) chosen.delete(name);
  const query = chosen.toString();
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
