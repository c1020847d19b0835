// The doctor's copy buttons.

import { setUpCopying } from "./copying.js";

setUpCopying(document.getElementById("doctor-result"));
