import assert from "node:assert/strict";
import { createAuthManager, signInWithDeviceCode } from "@agent-auth/login/promises";
import { type Authority, makeHome } from "../support.ts";

/** A code that is approved elsewhere signs in; an abort ends the wait. */
export default async (authority: Authority): Promise<void> => {
  await using home = await makeHome(authority);
  const { variables } = home;
  const { account, issuer } = authority;
  const tokens = await signInWithDeviceCode({
    issuer,
    variables,
    onCode: ({ userCode }) =>
      void authority.call("decideDevice", userCode, { decision: "approve", account }),
  });
  await using manager = createAuthManager({ environmentCredentials: false, variables });
  await manager.loginWithChatgptTokens(tokens);
  assert.equal((await manager.current())?._tag, "Chatgpt");

  const ending = new AbortController();
  const waiting = signInWithDeviceCode({
    issuer,
    variables,
    signal: ending.signal,
    onCode: () => ending.abort(new Error("changed my mind")),
  });
  await assert.rejects(waiting, /changed my mind/);
};
