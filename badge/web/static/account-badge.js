// The snippets of an account's summary.

import { dressCopies } from "./copying.js";

dressCopies(document.getElementById("account-badge"));
