import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/home.ts";
import { program, start } from "../support/start-program.ts";
import { openAuthority } from "./fixture.ts";

/** `WORKSPACE_PROCESSES=32` for a stress run. */
const count = Number(process.env["WORKSPACE_PROCESSES"] ?? 6);

const timeout = 30_000 + 5_000 * count;

const open = async () => {
  const account = { accountId: "ws-1", userId: "user-1", planType: "enterprise" as const };
  const authority = await openAuthority({ account });
  const tokens = await authority.mintChatgptTokens();
  const home = join(temporaryFolder(), "home"); // does not exist yet
  /** Processes that have loaded everything, and ask at the same time. */
  const askTogether = async () => {
    const args = [home, authority.chatgptBaseUrl, tokens.accessToken, "ws-1"];
    const processes = Array.from({ length: count }, () =>
      start(program("check-workspace", ...args), { stdio: ["pipe", "pipe", "pipe"] }),
    );
    await Promise.all(
      processes.map(async ({ child }) => {
        if (child.stdout !== null) await once(child.stdout, "data");
      }),
    );
    for (const { child } of processes) child.stdin?.write("go\n");
    return Promise.all(processes.map(({ ended }) => ended));
  };
  const asked = () => authority.requests.map(({ path }) => path).toSorted();
  return { askTogether, asked, authority, home };
};

describe("the policy and the routing of a workspace", { timeout }, () => {
  it(`are asked for once by ${count} processes that start together`, async () => {
    const { askTogether, asked, home } = await open();
    const outcomes = await askTogether();
    expect(outcomes.map(({ status }) => status)).toEqual(Array.from({ length: count }, () => 0));
    expect(asked()).toEqual([
      "/backend-api/wham/accounts/check",
      "/backend-api/wham/config/bundle",
    ]);
    expect(await readdir(join(home, "agent-auth"))).toHaveLength(2);
  });

  it(`are asked for a few times, not ${count} times three, if the backend answers with errors`, async () => {
    const { askTogether, asked, authority } = await open();
    authority.behave("configBundle", { status: 503 });
    const outcomes = await askTogether();
    expect(outcomes.every(({ status }) => status !== 0)).toBe(true);
    expect(asked().length).toBeLessThan(2 * count + 3);
  });
});
