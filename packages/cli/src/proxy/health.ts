import type { IncomingMessage, ServerResponse } from "node:http";
import { errorToJson } from "../errors/report.ts";
import { toRequestError } from "../http/request-error.ts";

import type { ForwardContext } from "./forward.ts";

/**
 * Answers the proxy's own endpoints. `GET /healthz`: 200 while the process serves. `GET /readyz`: 200 if the next request
 * can be signed, else 503 with the error. Neither contacts the provider, needs the client token, or appears in the access
 * log. Returns false for any other request.
 */
export const answerHealthCheck = (
  context: Pick<ForwardContext, "signed">,
  request: IncomingMessage,
  response: ServerResponse,
): boolean => {
  if (request.method !== "GET" && request.method !== "HEAD") return false;
  if (request.url === "/healthz") {
    send(response, 200, { status: "ok" });
    return true;
  }
  if (request.url !== "/readyz") return false;
  new Promise((resolve) => resolve(context.signed())).then(
    () => send(response, 200, { status: "ok" }),
    (error: unknown) => send(response, 503, { error: errorToJson(toRequestError(error)) }),
  );
  return true;
};

const send = (response: ServerResponse, status: 200 | 503, body: unknown): void => {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(`${JSON.stringify(body)}\n`);
};
