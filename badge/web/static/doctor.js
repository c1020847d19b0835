// The doctor's copy buttons.

import { dressCopies } from "./copying.js";

dressCopies(document.getElementById("doctor-result"));
