import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { json } from "node:stream/consumers";
import { setTimeout as pause } from "node:timers/promises";
import { nodeListener, serveEndpoints } from "@agent-auth/gateway/middleware";
import { createGateway } from "@agent-auth/gateway/promises";

// A gateway that speaks OpenAI's Responses API, for agents that it issues identities to. Start it in as many processes as you
// like; they share the database and the signing keys:
//   node openai-gateway.ts postgres://…                    or the path of a SQLite file
//   node openai-gateway.ts postgres://… mint team-1        prints an identity for one agent, and ends
const [database = "gateway.db", command, accountId = ""] = process.argv.slice(2);

const gateway = await createGateway({
  store: /^postgres(?:ql)?:/.test(database)
    ? { kind: "postgres", url: database }
    : { kind: "sqlite", path: database },
  issuer: { keys: { folder: process.env["SIGNING_KEYS"] ?? "signing-keys" } },
  replays: { maxUses: 100 },
  perAgent: { limit: 600, windowMs: 60_000 },
});

if (command === "mint") {
  const { jwt } = await gateway.mint({ account: { accountId, planType: "pro" } });
  console.log(jwt);
  await gateway.close();
  process.exit();
}

/** How many words an agent may still get from this process today. */
const dailyWords = Number(process.env["DAILY_WORDS"] ?? 10_000);
const quotas = new Map<string, { day: number; left: number }>();
const quotaOf = (caller: string) => {
  const day = Math.floor(Date.now() / 86_400_000);
  const known = quotas.get(caller);
  if (known?.day === day) return known;
  const quota = { day, left: dailyWords };
  quotas.set(caller, quota);
  return quota;
};

const send = (response: ServerResponse, status: number, value: unknown) =>
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));

/** The model: it repeats the question. A real gateway calls one. */
const reply = (input: unknown): ReadonlyArray<string> =>
  `You said: ${typeof input === "string" ? input : JSON.stringify(input)}`.split(/(?<= )/);

const respond = async (request: IncomingMessage, response: ServerResponse, caller: string) => {
  const body: unknown = await json(request);
  const { model, input, stream }: Record<string, unknown> = { ...Object(body) };
  const words = reply(input);
  const quota = quotaOf(caller);
  if (quota.left < words.length) {
    const error = { message: "the daily quota is used up", type: "rate_limit_error" };
    return send(response, 429, { error: { ...error, code: "quota_exceeded" } });
  }
  quota.left -= words.length;
  const id = `resp_${randomUUID()}`;
  const text = { type: "output_text", text: words.join(""), annotations: [] };
  const item = { type: "message", id: "msg_1", role: "assistant", status: "completed" };
  const whole = { id, object: "response", model, output: [{ ...item, content: [text] }] };
  if (stream !== true) return send(response, 200, { ...whole, status: "completed" });
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  const event = (type: string, fields: object) =>
    response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`);
  event("response.created", { response: { ...whole, output: [], status: "in_progress" } });
  const place = { item_id: item.id, output_index: 0, content_index: 0 };
  for (const delta of words) {
    event("response.output_text.delta", { ...place, delta });
    await pause(1);
  }
  event("response.completed", { response: { ...whole, status: "completed" } });
  return response.end();
};

const models = nodeListener(gateway, async (request, response, principal) => {
  const caller = principal.kind === "agent" ? principal.agentRuntimeId : principal.subject;
  try {
    if (request.url?.endsWith("/responses")) await respond(request, response, caller);
    else if (request.url?.endsWith("/models")) send(response, 200, { object: "list", data: [] });
    else send(response, 404, { error: { message: "there is no such endpoint" } });
  } catch {
    if (!response.headersSent) send(response, 400, { error: { message: "the body is not JSON" } });
  }
});
const endpoints = serveEndpoints(gateway);
const server = createServer((request, response) =>
  endpoints(request, response, () => models(request, response)),
);
server.listen(Number(process.env["PORT"] ?? 0), "127.0.0.1", () =>
  console.log(JSON.stringify(server.address())),
);
process.once("SIGTERM", () => server.close(() => void gateway.close()));
