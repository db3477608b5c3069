import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createModelProvider } from "@agent-auth/model-provider/promises";
import { type Authority, makeHome, post, question } from "../support.ts";

/** A server whose certificate is untrusted is rejected with the reason; CODEX_CA_CERTIFICATE makes it trusted. */
export default async (authority: Authority): Promise<void> => {
  const { apiKey, ...secure } = await authority.call("startWithTls");
  await using home = await makeHome(secure);
  const CODEX_CA_CERTIFICATE = join(home.path, "ca.pem");
  await writeFile(CODEX_CA_CERTIFICATE, secure.certificate ?? "");
  const send = async (more: Readonly<Record<string, string>>) => {
    await using provider = await createModelProvider({
      environmentCredentials: true,
      variables: { ...home.variables, CODEX_API_KEY: apiKey, ...more },
      maxRetries: 0,
    });
    return await provider.fetch("/responses", post(question));
  };
  const rejected: unknown = await send({}).catch((error: unknown) => error);
  assert.ok(rejected instanceof TypeError);
  assert.equal(Reflect.get(Object(rejected.cause), "code"), "PROVIDER_CERTIFICATE_UNTRUSTED");
  assert.equal((await send({ CODEX_CA_CERTIFICATE })).status, 200);
};
