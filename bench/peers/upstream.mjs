// A fast backup API that follows the native contract and reports a success for every subject: node upstream.mjs PORT
import { createServer } from "node:http";

createServer((request, response) => {
  const subject = Object.fromEntries(new URL(request.url, "http://localhost").searchParams);
  const observedAt = new Date().toISOString();
  const body = JSON.stringify({ ...subject, status: "succeeded", observedAt, revision: 1, visibility: "public" });
  response.writeHead(200, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) });
  response.end(body);
}).listen(Number(process.argv[2]), "127.0.0.1");
