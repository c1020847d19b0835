// The doctor's page: what there is to copy.

import { dressCopies } from "./copying.js";

dressCopies(document.getElementById("doctor-result"));
