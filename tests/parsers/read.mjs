// Reads snippets as JSON from standard input, a list of [syntax, text]; writes what each syntax's parser makes of them.

import { json } from "node:stream/consumers";
import { convert } from "@asciidoctor/core";
import { marked } from "marked";
import { unified } from "unified";
import parseOrg from "uniorg-parse";

const readers = {
  markdown: async (text) => marked.parse(text),
  asciidoc: async (text) => await convert(text, { standalone: false, safe: "secure" }),
  // Only the parsed `#+ATTR_HTML:`; pandoc checks that the rest is a linked image.
  org: async (text) => unified().use(parseOrg).parse(text).children.map((node) => node.affiliated?.ATTR_HTML ?? null),
};

const answers = [];
for (const [syntax, text] of await json(process.stdin)) answers.push(await readers[syntax](text));
process.stdout.write(JSON.stringify(answers));
