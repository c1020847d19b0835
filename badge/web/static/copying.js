// Copy buttons with feedback that is seen and announced, and the service's address where nobody set one.

// Names and addresses that lead nowhere from another network.
const NEAR = /^(\[(::1|f[cde][^\]]*)\]|(127|10|192\.168|169\.254|172\.(1[6-9]|2\d|3[01]))(\.\d+)+|[^.:]+|.+\.(localhost|local|internal|lan|home\.arpa))$/;

const said = document.getElementById("copied");

export function say(words) {
  said.textContent = words;
}

// What is said stands in the dialog's title, else at the page's bottom, over what is there.
function sayOf(field, words) {
  say(words);
  field.closest(".snippet, .copy").scrollIntoView({ block: "nearest" });
}

async function copy({ id, dataset }, isSettled) {
  // Not even waited for where it is known: browsers give the clipboard to a click, and some only for a moment.
  const settled = isSettled();
  if (settled !== true && !(await settled)) return;
  const field = document.getElementById(dataset.copies);
  try {
    await navigator.clipboard.writeText(field.value);
    sayOf(field, `${dataset.named} copied.`);
    const { classList } = document.getElementById(id);
    classList.add("copied");
    setTimeout(() => classList.remove("copied"), 1500);
  } catch {
    // Browsers give the clipboard to https and loopback pages only.
    field.select();
    sayOf(field, "It is selected: press Ctrl+C (or ⌘C) to copy.");
  }
}

// `isSettled` tells, at once or later, whether there is to copy what was chosen.
export function dressCopies(area, isSettled = () => true) {
  const { placeholder } = area.dataset;
  const reach = NEAR.test(location.hostname) ? "near" : "far";
  for (const note of area.querySelectorAll("[data-reach]")) note.hidden = note.dataset.reach !== reach;
  for (const field of area.querySelectorAll("textarea")) field.value = field.value.replaceAll(placeholder, location.origin);
  for (const button of area.querySelectorAll("[data-copies]")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button, isSettled));
  }
}
