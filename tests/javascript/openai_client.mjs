// OpenAI's JavaScript package against a service: node openai_client.mjs URL KEY QUESTION
import OpenAI from "openai";

const [url, apiKey, question] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });
const asked = { model: "sovereign-rag", messages: [{ role: "user", content: question }] };

const models = await client.models.list();
const answer = await client.chat.completions.create(asked);
let streamed = "";
let usage = null;
const stream = await client.chat.completions.create({
  ...asked,
  stream: true,
  stream_options: { include_usage: true },
});
for await (const chunk of stream) {
  streamed += chunk.choices[0]?.delta?.content ?? "";
  usage = chunk.usage ?? usage;
}
const vectors = await client.embeddings.create({ model: "sovereign-rag", input: question });
const found = await client.vectorStores.search("documents", { query: question });
const refusal = await client.chat.completions
  .create({ ...asked, model: "gpt-4o" })
  .catch((error) => ({ status: error.status, code: error.code }));

console.log(
  JSON.stringify({
    models: models.data.map((model) => model.id),
    answer,
    streamed,
    usage,
    dimension: vectors.data[0].embedding.length,
    found: found.data.map((one) => one.filename),
    refusal,
  }),
);
