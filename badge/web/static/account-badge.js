// Copy buttons for the snippets of an account's summary.

import { setUpCopying } from "./copying.js";

setUpCopying(document.getElementById("account-badge"));
