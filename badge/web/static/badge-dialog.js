// The "Get badge URL" dialog: modal if scripts are enabled, otherwise part of the page.

import { share, sharing } from "./badge-form.js";
import { say } from "./copying.js";

const dialog = document.getElementById("badge-dialog");
const opener = document.getElementById("open-badge-dialog");
let isPressedOutside = false;
let pressed = opener.querySelector("button");

function open() {
  say("");
  sharing.isOn = true;
  dialog.showModal();
  share();
}

sharing.isOn = dialog.open;
if (dialog.open) {
  dialog.open = false;
  open();
}

opener.addEventListener("submit", (event) => {
  event.preventDefault();
  pressed = event.submitter ?? pressed;
  open();
});

// Clicks on the backdrop, clicks on the dialog's border, and drags that start in a field and end outside the dialog's
// body: all of these have the dialog as their target, so the coordinates decide.
function isOnBackdrop({ target, clientX: x, clientY: y }) {
  const { left, right, top, bottom } = dialog.getBoundingClientRect();
  return target === dialog && (x < left || x > right || y < top || y > bottom);
}

dialog.addEventListener("pointerdown", (event) => (isPressedOutside = isOnBackdrop(event)));
dialog.addEventListener("click", (event) => {
  if (isPressedOutside && isOnBackdrop(event)) dialog.close();
});
dialog.addEventListener("close", () => {
  sharing.isOn = false;
  history.replaceState(null, "", opener.action.split("#")[0]);
  pressed.focus();
});
