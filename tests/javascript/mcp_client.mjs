// The protocol's JavaScript library against a service: node mcp_client.mjs URL KEY QUESTION
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [url, key, question] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${key}` };
const client = new Client({ name: "tests", version: "1" });
await client.connect(
  new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit: { headers } }),
);

const listed = await client.listTools();
const found = await client.callTool({ name: "search", arguments: { query: question } });
const fetched = await client.callTool({
  name: "fetch",
  arguments: { id: found.structuredContent.results[0].id },
});
const answered = await client.callTool({ name: "ask", arguments: { question } });
await client.close();

console.log(
  JSON.stringify({
    tools: listed.tools.map((tool) => tool.name),
    found: found.structuredContent,
    fetched: fetched.structuredContent,
    answered: answered.structuredContent,
  }),
);
