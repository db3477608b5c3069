import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import { expect, it, onTestFinished } from "vitest";
import { openService } from "./support/service.ts";

/** A client that lent tokens which have expired, and that does not answer the request for new ones. */
const openWithSilentLender = async (variables: { readonly authority: TestAuthority }) => {
  const opened = await openService(variables);
  const { promise: isAsked, resolve: asked } = Promise.withResolvers<void>();
  const lender = {
    name: "silent",
    refresh: () => {
      asked();
      return new Promise(() => {});
    },
  };
  const lend = async (expiresInSeconds: number) => {
    const { authority } = variables;
    const tokens = await authority.mintChatgptTokens({ expiresInSeconds });
    const { accountId } = authority.account;
    await opened.service.lendTokens(
      { accessToken: tokens.accessToken, chatgptAccountId: accountId },
      lender,
    );
  };
  await lend(3600);
  return { ...opened, isAsked, lend, lender };
};

const openAuthority = async (): Promise<TestAuthority> => {
  const authority = await startTestAuthority();
  onTestFinished(() => authority.close());
  return authority;
};

/** A backend request is rejected, so that the lender is asked, for ten seconds. */
const askLender = async (
  opened: Awaited<ReturnType<typeof openWithSilentLender>>,
  authority: TestAuthority,
) => {
  authority.behave("unknown", { status: 401 });
  const usage = opened.service.rateLimits().catch((error: unknown) => error);
  await opened.isAsked;
  return usage;
};

type Opened = Awaited<ReturnType<typeof openWithSilentLender>>;

it.each<[string, (opened: Opened) => Promise<unknown>, unknown]>([
  ["account/read", async ({ service }) => (await service.read()).account?.type, "chatgpt"],
  ["account/logout", ({ service }) => service.logout(), undefined],
  ["the lender's departure", ({ lender, service }) => service.releaseOwner(lender), undefined],
  ["new tokens of another client", ({ lend }) => lend(3600), undefined],
])(
  "a client that lent tokens and stays silent does not hold up %s",
  { timeout: 8_000 },
  async (_, run, expected) => {
    const authority = await openAuthority();
    const opened = await openWithSilentLender({ authority });
    void askLender(opened, authority);
    await opened.isAsked;
    expect(await run(opened)).toBe(expected);
  },
);

it(
  "a client whose lent tokens have expired and that stays silent does not hold up account/read",
  { timeout: 8_000 },
  async () => {
    const authority = await openAuthority();
    const opened = await openWithSilentLender({ authority });
    await opened.lend(-10);
    const reads = await Promise.all([opened.service.read(), opened.service.read()]);
    expect(reads.map(({ account }) => account?.type)).toEqual(["chatgpt", "chatgpt"]);
  },
);
