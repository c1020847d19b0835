// Reads snippets as JSON from standard input, a list of [syntax, text]; writes what a parser of each makes of it.

import { readFileSync } from "node:fs";
import { convert } from "@asciidoctor/core";
import { unified } from "unified";
import parseOrg from "uniorg-parse";

const readers = {
  asciidoc: async (text) => await convert(text, { standalone: false, safe: "secure" }),
  // What `#+ATTR_HTML:` amounts to; that the rest is a linked image is another parser's to say.
  org: async (text) => unified().use(parseOrg).parse(text).children.map((node) => node.affiliated?.ATTR_HTML ?? null),
};

const answers = [];
for (const [syntax, text] of JSON.parse(readFileSync(0, "utf8"))) answers.push(await readers[syntax](text));
process.stdout.write(JSON.stringify(answers));
