// The Get badge URL dialog: absolute addresses, copying, feedback. Without it the page shows the snippets as text.

const dialog = document.getElementById("badge-dialog");
const opener = document.getElementById("open-badge-dialog");
const said = document.getElementById("copied");

// Where no public address is set, the browser's own is the one that works.
if (dialog.hasAttribute("data-needs-origin")) {
  for (const field of dialog.querySelectorAll("[data-paths]")) {
    for (const path of JSON.parse(field.dataset.paths)) {
      // What leads a path tells which it is: "](" in Markdown, `src="` and the like in HTML, nothing alone.
      const start = path.slice(0, path.indexOf("/"));
      field.value = field.value.replace(path, () => start + location.origin + path.slice(start.length));
    }
  }
}

opener.hidden = false;
opener.addEventListener("click", () => {
  said.textContent = "";
  dialog.showModal();
});

// A click on the backdrop is a click on the dialog itself.
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});
dialog.addEventListener("close", () => opener.focus());

for (const choice of dialog.querySelectorAll("input[name=form]")) {
  choice.addEventListener("change", () => {
    for (const part of dialog.querySelectorAll("[data-form]")) part.hidden = part.dataset.form !== choice.value;
    said.textContent = "";
  });
}

for (const button of dialog.querySelectorAll("[data-copies]")) {
  button.addEventListener("click", async () => {
    const field = document.getElementById(button.dataset.copies);
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      said.textContent = `${button.dataset.named} copied.`;
    } catch {
      // Browsers give the clipboard to https and loopback pages only.
      said.textContent = "It is selected: press Ctrl+C (or ⌘C) to copy.";
    }
  });
}
