// Copy buttons with feedback that is seen and announced, and the service's address where nobody set one.

// Names and addresses that lead nowhere from another network.
const NEAR = /^(\[(::1|f[cde][^\]]*)\]|(127|10|192\.168|169\.254|172\.(1[6-9]|2\d|3[01]))(\.\d+)+|[^.:]+|.+\.(localhost|local|internal|lan|home\.arpa))$/;

const said = document.getElementById("copied");

export function say(words) {
  said.textContent = words;
}

async function copy(button) {
  const field = document.getElementById(button.dataset.copies);
  try {
    await navigator.clipboard.writeText(field.value);
    say(`${button.dataset.named} copied.`);
    button.classList.add("copied");
    setTimeout(() => button.classList.remove("copied"), 1500);
  } catch {
    // Browsers give the clipboard to https and loopback pages only.
    field.select();
    say("It is selected: press Ctrl+C (or ⌘C) to copy.");
  }
}

export function dressCopies(area) {
  const { placeholder } = area.dataset;
  const reach = NEAR.test(location.hostname) ? "near" : "far";
  for (const note of area.querySelectorAll("[data-reach]")) note.hidden = note.dataset.reach !== reach;
  for (const field of area.querySelectorAll("textarea")) field.value = field.value.replaceAll(placeholder, location.origin);
  for (const button of area.querySelectorAll("[data-copies]")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }
}
