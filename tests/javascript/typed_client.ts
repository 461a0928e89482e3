// The types that are generated from the service's description, used: typed_client.js URL KEY QUESTION
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

declare const process: { argv: string[] };

const [url, key, question] = process.argv.slice(2) as [string, string, string];
const rag = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${key}` } });

const asked = await rag.POST("/v1/answers", { body: { question, kind: "extracts" } });
if (typeof asked.data !== "object") throw new Error("an answer is an object, where no stream is asked for");
const answer: components["schemas"]["AnswerOut"] = asked.data;
const found = await rag.POST("/v1/search", { body: { query: question, limit: 3 } });
const listed = await rag.GET("/v1/documents", { params: { query: { limit: 5 } } });
const refused = await rag.GET("/v1/documents/{document_id}", {
  params: { path: { document_id: "none" } },
});
const refusal: components["schemas"]["ErrorBody"] | undefined = refused.error;

console.log(
  JSON.stringify({
    quotes: answer.statements.flatMap((statement) => statement.citations.map((c) => c.quote)),
    passages: found.data?.passages.map((passage) => passage.text),
    documents: listed.data?.documents.length,
    refusal: refusal?.error,
  }),
);
