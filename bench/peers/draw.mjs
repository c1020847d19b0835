// Draws badges with one of npm's libraries for the given time and prints how many it draws per second:
// node draw.mjs badge-maker|badgen SECONDS
import { badgen } from "badgen";
import { makeBadge } from "badge-maker";

const draw = {
  "badge-maker": (message) => makeBadge({ label: "backup", message, color: "#2b7a2b" }),
  badgen: (message) => badgen({ label: "backup", status: message, color: "2b7a2b" }),
}[process.argv[2]];
const words = ["succeeded", "failed", "in progress", "scheduled", "deleted", "unknown"];
const seconds = Number(process.argv[3]);
const began = performance.now();
const ends = began + 1000 * seconds;
let drawn = 0;
while (performance.now() < ends) {
  words.forEach(draw);
  drawn += words.length;
}
console.log(drawn / ((performance.now() - began) / 1000));
