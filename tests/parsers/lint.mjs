// Lints an OpenAPI document; reads its path as JSON from standard input, writes the faults as JSON.

import { json } from "node:stream/consumers";
import { createConfig, lint } from "@redocly/openapi-core";

const config = await createConfig({ extends: ["recommended"] });
const faults = await lint({ ref: await json(process.stdin), config });
const shown = ({ ruleId, severity, message, location }) => `${severity} ${ruleId}: ${message} (${location[0]?.pointer})`;
process.stdout.write(JSON.stringify(faults.map(shown)));
