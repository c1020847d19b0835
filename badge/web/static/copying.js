// Copy buttons with visible and announced feedback; replaces the placeholder with the service's origin.

// Host names and addresses that other networks can't reach.
const NEAR = /^(\[(::1|f[cde][^\]]*)\]|(127|10|192\.168|169\.254|172\.(1[6-9]|2\d|3[01]))(\.\d+)+|[^.:]+|.+\.(localhost|local|internal|lan|home\.arpa))$/;

const announced = document.getElementById("copied");

export function say(words) {
  announced.textContent = words;
}

// The message appears in the dialog's title or over the bottom of the page, where it could cover the field.
function sayNear(field, words) {
  say(words);
  field.closest(".snippet, .copy").scrollIntoView({ block: "nearest" });
}

async function copy({ id, dataset }, isSettled) {
  // No await if the answer is known: some browsers allow clipboard access only for a moment after a click.
  const settled = isSettled();
  if (settled !== true && !(await settled)) return;
  const field = document.getElementById(dataset.copies);
  try {
    await navigator.clipboard.writeText(field.value);
    sayNear(field, `${dataset.named} copied.`);
    const { classList } = document.getElementById(id);
    classList.add("copied");
    setTimeout(() => classList.remove("copied"), 1500);
  } catch {
    // Browsers allow clipboard access only on https and loopback pages.
    field.select();
    sayNear(field, "Text selected: press Ctrl+C (or ⌘C) to copy.");
  }
}

// `isSettled` returns whether the snippets match the choices, or a promise of that.
export function setUpCopying(area, isSettled = () => true) {
  const { placeholder } = area.dataset;
  const reach = NEAR.test(location.hostname) ? "near" : "far";
  for (const note of area.querySelectorAll("[data-reach]")) note.hidden = note.dataset.reach !== reach;
  for (const field of area.querySelectorAll("textarea")) field.value = field.value.replaceAll(placeholder, location.origin);
  for (const button of area.querySelectorAll("[data-copies]")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button, isSettled));
  }
}
