// Swagger UI for our own OpenAPI description, without requests to other hosts: no validator, no fonts.

const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

const api = document.getElementById("api");
SwaggerUIBundle({
  url: api.dataset.description,
  domNode: api,
  validatorUrl: null,
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  presets: [SwaggerUIBundle.presets.apis],
});
