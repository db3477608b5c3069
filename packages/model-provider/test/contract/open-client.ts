import { expect } from "vitest";
import type { RequestOptions } from "../../src/fetch/index.ts";
import type { RequestSignerOptions } from "../../src/signing/request-signer.ts";
import type { TestClient } from "../support/clients.ts";
import { answer, type Respond, type Seen } from "../support/server.ts";

/** Opens a client that is closed after the test. */
export type OpenClient = (options: RequestSignerOptions & RequestOptions) => TestClient;

export const rejection = async (one: TestClient, sending: Promise<unknown>): Promise<unknown> =>
  one.reason(
    await sending.then(
      () => expect.fail("it was sent"),
      (error: unknown) => error,
    ),
  );

export const statuses =
  (...list: ReadonlyArray<number>): Respond =>
  (_request, response, count) => {
    answer(response, list[Math.min(count, list.length) - 1] ?? 500, `answer ${count}`);
  };

export const authorizations = (server: { readonly seen: ReadonlyArray<Seen> }) =>
  server.seen.map((request) => request.headers.authorization);

export const whoSaidWhat = (server: { readonly seen: ReadonlyArray<Seen> }) =>
  server.seen.map(({ headers, body }) => [headers.authorization, body]);

export async function* parts(...texts: ReadonlyArray<string>): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield new TextEncoder().encode(text);
}
