// Reads pages as JSON from standard input, a list of HTML texts; writes what is wrong with each.

import { json } from "node:stream/consumers";
import { HtmlValidate } from "html-validate";

const validator = new HtmlValidate({
  extends: ["html-validate:standard", "html-validate:a11y"],
  rules: {
    "doctype-style": "off", // lower case is as good
    "no-implicit-button-type": "off", // the default, submit, is intended
    "no-trailing-whitespace": "off",
    "long-title": "off", // a repository's name may be long
  },
});

const answers = [];
for (const page of await json(process.stdin)) {
  const report = await validator.validateString(page);
  answers.push(report.results.flatMap((result) => result.messages.map((fault) => `${fault.line}: ${fault.ruleId}: ${fault.message}`)));
}
process.stdout.write(JSON.stringify(answers));
