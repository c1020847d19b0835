// Draws the badges that standard input lists as JSON with npm's badge-maker, and prints the SVGs as JSON.
import { readFileSync } from "node:fs";
import { makeBadge } from "badge-maker";

console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map((badge) => makeBadge(badge))));
