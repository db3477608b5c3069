import assert from "node:assert/strict";
import { createAuthManager, signInWithBrowser } from "@agent-auth/login/promises";
import { type Authority, makeHome } from "../support.ts";

/** The browser's callback arrives at the local server, and the tokens are stored before its success page is shown. */
export default async (authority: Authority): Promise<void> => {
  await using home = await makeHome(authority);
  const { variables } = home;
  await using manager = createAuthManager({ environmentCredentials: false, variables });
  let page: Promise<string> | undefined;
  const openPage = async (link: string): Promise<string> => {
    const { headers } = await fetch(link, { redirect: "manual" });
    const callback = await authority.call("decideSignIn", headers.get("location") ?? "");
    return await (await fetch(callback)).text();
  };
  await signInWithBrowser({
    issuer: authority.issuer,
    ports: [0],
    variables,
    onAuthorizeUrl: ({ url }) => assert.ok(url.startsWith(authority.issuer)),
    openBrowser: (link) => {
      page = openPage(link);
    },
    save: (tokens) => manager.loginWithChatgptTokens(tokens),
  });
  assert.match((await page) ?? "", /signed in/i);
  assert.equal((await manager.current())?._tag, "Chatgpt");
};
