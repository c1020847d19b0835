// Serves one badge at every path, drawn with npm's badge-maker for each request or only once: node serve.mjs PORT each|once
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { makeBadge } from "badge-maker";

function answer() {
  const body = Buffer.from(makeBadge({ label: "backup", message: "succeeded", color: "#2b7a2b" }));
  const headers = {
    "Content-Type": "image/svg+xml; charset=utf-8",
    "Content-Length": body.length,
    "Cache-Control": "public, max-age=120",
    ETag: `"${createHash("sha256").update(body).digest("hex").slice(0, 32)}"`,
  };
  return { body, headers };
}

const first = answer();
const answerTo = process.argv[3] === "once" ? () => first : answer;

createServer((request, response) => {
  const { body, headers } = answerTo();
  response.writeHead(200, headers);
  response.end(body);
}).listen(Number(process.argv[2]), "127.0.0.1");
