// Draws badges with npm's badge-maker for so many seconds and prints how many a second.
import { makeBadge } from "badge-maker";

const words = ["succeeded", "failed", "in progress", "scheduled", "deleted", "unknown"];
const seconds = Number(process.argv[2]);
const ends = performance.now() + 1000 * seconds;
const began = performance.now();
let drawn = 0;
while (performance.now() < ends) {
  for (const message of words) makeBadge({ label: "backup", message, color: "#2b7a2b" });
  drawn += words.length;
}
console.log(drawn / ((performance.now() - began) / 1000));
