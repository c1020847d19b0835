// The Get badge URL dialog: modal where scripts run, a part of the page where they do not.

import { share, sharing } from "./badge-form.js";
import { say } from "./copying.js";

const dialog = document.getElementById("badge-dialog");
const opener = document.getElementById("open-badge-dialog");

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
  open();
});

// A click on the backdrop is a click on the dialog itself.
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});
dialog.addEventListener("close", () => {
  sharing.isOn = false;
  history.replaceState(null, "", opener.action);
  opener.querySelector("button").focus();
});
