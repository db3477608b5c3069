import type { TestAuthority } from "@agent-auth/test-authority";
import { describe, expect, it, vi } from "vitest";
import {
  createAuthManager,
  type CreateAuthManagerOptions,
  type PromiseAuthManager,
} from "../../src/promises/index.ts";
import {
  type MemoryStorage,
  openMemoryStorage,
  type Operation,
} from "../support/memory-storage.ts";
import {
  accessTokenOf,
  chatgptDocument,
  managerOptions,
  openAuthority,
  openHome,
} from "./fixture.ts";

const soon = { timeout: 10_000, interval: 10 };
const EXPIRED = -10;
/** Due, because it expires within ten minutes. */
const DUE = 120;

interface Fleet {
  readonly authority: TestAuthority;
  readonly storage: MemoryStorage;
  readonly warnings: Array<string>;
  /** A manager of another host. */
  readonly open: (options?: Partial<CreateAuthManagerOptions>) => Promise<PromiseAuthManager>;
}

/** A shared store with a sign-in whose access token expires in so many seconds. */
const openFleet = async (expiresInSeconds: number): Promise<Fleet> => {
  const authority = await openAuthority();
  authority.configure({ punishReuse: true });
  const document = await chatgptDocument(authority, { expiresInSeconds });
  const storage = openMemoryStorage(JSON.stringify(document));
  const warnings: Array<string> = [];
  return {
    authority,
    storage,
    warnings,
    open: async (options) => {
      const { config, environment } = await managerOptions({ home: await openHome(), authority });
      return createAuthManager({
        config,
        environment,
        environmentCredentials: true,
        workspaceChecks: false,
        loadAtStart: false,
        onWarning: (warning) => warnings.push(warning),
        ...storage.open(),
        ...options,
      });
    },
  };
};

const storedTokens = ({ storage }: Fleet) => {
  const document: { readonly tokens: Record<string, string> } = JSON.parse(
    storage.content() ?? '{"tokens":{}}',
  );
  return document.tokens;
};

/** The outcome of a call: the access token, or the code of the error. */
const outcomeOf = (call: Promise<Parameters<typeof accessTokenOf>[0]>) =>
  call.then(accessTokenOf, (error: { readonly code: string }) => error.code);

/** A lock whose lease is lost before the token is sent, so many times. */
const losing = (
  fleet: Fleet,
  times: number,
  meanwhile: () => Promise<unknown> = async () => {},
) => {
  const { store, lock } = fleet.storage.open();
  let left = times;
  const acquire = async (...call: Parameters<typeof lock.acquire>) => {
    const lease = await lock.acquire(...call);
    if (left-- > 0) {
      fleet.storage.expireLease();
      await meanwhile();
    }
    return lease;
  };
  return { store, lock: { ...lock, acquire } };
};

describe("hosts that share a store", () => {
  it("spend an expired token once, and all serve the new one", async () => {
    const fleet = await openFleet(EXPIRED);
    const hosts = await Promise.all(Array.from({ length: 8 }, () => fleet.open()));
    const tokens = await Promise.all(hosts.map((host) => outcomeOf(host.current())));
    expect(new Set(tokens)).toEqual(new Set([storedTokens(fleet).access_token]));
    expect(fleet.authority.count("refresh")).toBe(1);
    await Promise.all(hosts.map((host) => host.close()));
  });

  it("say where the credential is", async () => {
    const fleet = await openFleet(3600);
    await using host = await fleet.open();
    expect((await host.current())?.source).toEqual({
      _tag: "Store",
      name: "memory",
      where: "db.example",
    });
  });

  it("share a failure: another host does not send the token during the pause after it", async () => {
    const fleet = await openFleet(EXPIRED);
    await using first = await fleet.open();
    await using second = await fleet.open();
    fleet.authority.behave("refresh", { status: 400, body: { error: "temporarily" } });
    expect(await outcomeOf(first.current())).toBe("LOGIN_REFRESH_FAILED");
    expect(await outcomeOf(second.current())).toBe("LOGIN_REFRESH_FAILED");
    expect(fleet.authority.count("refresh")).toBe(1);
  });

  it("notice a sign-in and a sign-out of another host within a second", async () => {
    const fleet = await openFleet(3600);
    await using first = await fleet.open();
    await using second = await fleet.open({ followStore: true });
    await second.current();
    const heard: Array<string> = [];
    second.subscribe((credential) => heard.push(credential?._tag ?? "none"));
    await first.loginWithApiKey("sk-shared");
    await vi.waitFor(() => expect(heard).toEqual(["ApiKey"]), { timeout: 1_000, interval: 10 });
    await first.logout();
    await vi.waitFor(() => expect(heard).toEqual(["ApiKey", "none"]), {
      timeout: 1_000,
      interval: 10,
    });
  });

  it("repeat a login if another host has changed the store since it was read", async () => {
    const fleet = await openFleet(3600);
    const { store, lock } = fleet.storage.open();
    let others = 2;
    const raced = {
      ...store,
      save: async (...call: Parameters<typeof store.save>) => {
        if (others-- > 0) fleet.storage.write(`{"OPENAI_API_KEY":"sk-other","later":${others}}`);
        return store.save(...call);
      },
    };
    await using host = await fleet.open({ store: raced, lock });
    await host.loginWithApiKey("sk-mine");
    expect(JSON.parse(String(fleet.storage.content()))).toMatchObject({
      OPENAI_API_KEY: "sk-mine",
      later: 0,
    });
  });
});

describe("a refresh on a shared store", () => {
  it("stores the new pair beside what another host has added meanwhile", async () => {
    const fleet = await openFleet(EXPIRED);
    await using host = await fleet.open();
    fleet.authority.behave("refresh", { delayMs: 50 }, { times: 1 });
    const refreshed = outcomeOf(host.current());
    await fleet.authority.waitForRequest("refresh");
    fleet.storage.write(String(fleet.storage.content()).replace("{", '{"added":1,'));
    expect(await refreshed).toBe(storedTokens(fleet).access_token);
    expect(JSON.parse(String(fleet.storage.content()))).toMatchObject({ added: 1 });
  });

  it("leaves a sign-in alone that another host has stored meanwhile, and revokes its own pair", async () => {
    const fleet = await openFleet(EXPIRED);
    await using host = await fleet.open();
    const { tokens, ...rest } = await chatgptDocument(fleet.authority);
    const other = JSON.stringify({ ...rest, tokens: { ...tokens, login_owner_id: "other" } });
    fleet.authority.behave("refresh", { delayMs: 50 }, { times: 1 });
    const refreshed = outcomeOf(host.current());
    await fleet.authority.waitForRequest("refresh");
    fleet.storage.write(other);
    await refreshed;
    expect(fleet.storage.content()).toBe(other);
    expect(fleet.authority.count("revoke")).toBe(1);
  });

  it("sends nothing under a lease that was lost before, and takes another turn", async () => {
    const fleet = await openFleet(EXPIRED);
    await using host = await fleet.open(losing(fleet, 2));
    expect(await outcomeOf(host.current())).toBe(storedTokens(fleet).access_token);
    expect(fleet.authority.count("refresh")).toBe(1);
  });

  it("uses the pair of the host that took the lease meanwhile", async () => {
    const fleet = await openFleet(EXPIRED);
    await using other = await fleet.open();
    const options = losing(fleet, 1, () => other.current());
    await using host = await fleet.open(options);
    expect(await outcomeOf(host.current())).toBe(storedTokens(fleet).access_token);
    expect(fleet.authority.count("refresh")).toBe(1);
  });

  it("fails, and sends nothing, if each of three leases was lost", async () => {
    const fleet = await openFleet(EXPIRED);
    await using host = await fleet.open(losing(fleet, 3));
    expect(await outcomeOf(host.current())).toBe("LOGIN_LEASE_LOST");
    expect(fleet.authority.count("refresh")).toBe(0);
  });

  it("keeps a pair whose lease was lost meanwhile in memory, and stores it in its own turn", async () => {
    const fleet = await openFleet(EXPIRED);
    const before = fleet.storage.content();
    const { lock } = fleet.storage.open();
    const host = await fleet.open();
    fleet.authority.behave("refresh", { delayMs: 50 }, { times: 1 });
    const refreshed = outcomeOf(host.current());
    await fleet.authority.waitForRequest("refresh");
    fleet.storage.expireLease();
    const other = await lock.acquire({ signal: new AbortController().signal });
    const token = await refreshed;
    expect(fleet.storage.content()).toBe(before);
    expect(fleet.warnings.join("\n")).toContain("the lease of the refresh");
    const closed = host.close();
    await other?.release();
    await closed;
    expect(storedTokens(fleet).access_token).toBe(token);
    expect(fleet.authority.count("refresh")).toBe(1);
  });

  it("gives up after a while if another host holds the lease", async () => {
    const fleet = await openFleet(EXPIRED);
    const { store, lock } = fleet.storage.open();
    await using host = await fleet.open({ store, lock: { ...lock, acquire: async () => null } });
    expect(await outcomeOf(host.current())).toBe("LOGIN_LEASE_BUSY");
  });
});

describe("a store that is down", () => {
  const beforeTheRefresh: ReadonlyArray<Operation> = ["load", "check", "acquire", "confirm"];

  it.each(beforeTheRefresh)(
    "at %s: a due credential serves, and nothing is spent",
    async (step) => {
      const fleet = await openFleet(DUE);
      await using host = await fleet.open();
      await host.reload();
      fleet.storage.goDown(step);
      expect(await outcomeOf(host.current())).toBe(storedTokens(fleet).access_token);
      expect(fleet.authority.count("refresh")).toBe(0);
      expect(fleet.warnings.join("\n")).toContain("memory (db.example) is not available");
      expect(fleet.warnings.join("\n")).not.toContain("secret");
    },
  );

  it.each(beforeTheRefresh)(
    "at %s: an expired credential is a typed error, and nothing is spent until it responds",
    async (step) => {
      const fleet = await openFleet(EXPIRED);
      await using host = await fleet.open();
      await host.reload();
      fleet.storage.goDown(step);
      await expect(host.current()).rejects.toMatchObject({
        code: "LOGIN_STORE_UNAVAILABLE",
        remedy: "retry",
        where: "memory (db.example)",
        reason: "Error ECONNREFUSED",
      });
      expect(fleet.authority.count("refresh")).toBe(0);
      fleet.storage.comeUp();
      expect(await outcomeOf(host.refresh("forced"))).toBe(storedTokens(fleet).access_token);
      expect(fleet.authority.count("refresh")).toBe(1);
    },
  );

  it("is asked again by current after five seconds", async () => {
    const fleet = await openFleet(EXPIRED);
    await using host = await fleet.open();
    await host.reload();
    fleet.storage.goDown();
    expect(await outcomeOf(host.current())).toBe("LOGIN_STORE_UNAVAILABLE");
    fleet.storage.comeUp();
    const token = await vi.waitFor(async () => accessTokenOf(await host.current()), soon);
    expect(token).toBe(storedTokens(fleet).access_token);
  });

  it("after the token was spent: the pair is stored when the store responds again", async () => {
    const fleet = await openFleet(EXPIRED);
    await using host = await fleet.open();
    fleet.authority.behave("refresh", { delayMs: 30 }, { times: 1 });
    const refreshed = outcomeOf(host.current());
    await fleet.authority.waitForRequest("refresh");
    fleet.storage.goDown();
    await vi.waitFor(() => expect(fleet.storage.calls.save).toBeGreaterThan(1), soon);
    fleet.storage.comeUp();
    expect(await refreshed).toBe(storedTokens(fleet).access_token);
    expect(fleet.authority.count("refresh")).toBe(1);
  });

  it("after the token was spent: an outcome that cannot be recorded does no harm", async () => {
    const fleet = await openFleet(EXPIRED);
    await using host = await fleet.open();
    fleet.storage.goDown("outcome");
    expect(await outcomeOf(host.current())).toBe(storedTokens(fleet).access_token);
    expect(fleet.warnings.join("\n")).toContain("the outcome of a refresh could not be recorded");
  });

  it("at the first load: the error of current, which recovers without a reload", async () => {
    const fleet = await openFleet(3600);
    fleet.storage.goDown();
    await using host = await fleet.open({ loadAtStart: true });
    expect(await outcomeOf(host.current())).toBe("LOGIN_STORE_UNAVAILABLE");
    fleet.storage.comeUp();
    expect(await outcomeOf(host.current())).toBe(storedTokens(fleet).access_token);
  });

  it("while a manager follows it: the credential stays current, and a change is seen afterwards", async () => {
    const fleet = await openFleet(3600);
    await using host = await fleet.open({ followStore: true });
    await host.current();
    fleet.storage.goDown();
    fleet.storage.write('{"OPENAI_API_KEY":"sk-later"}');
    await vi.waitFor(() => expect(fleet.warnings).toHaveLength(1), soon);
    await expect(host.reload()).rejects.toMatchObject({ code: "LOGIN_STORE_UNAVAILABLE" });
    expect(host.snapshot()?._tag).toBe("Chatgpt");
    fleet.storage.comeUp();
    await vi.waitFor(() => expect(host.snapshot()?._tag).toBe("ApiKey"), soon);
  });
});

describe("createAuthManager({ store, lock })", () => {
  it.each([
    ["a store without a lock", ["store"]],
    ["a lock without a store", ["lock"]],
  ])("throws a TypeError for %s", (_, given) => {
    const parts = Object.entries(openMemoryStorage().open());
    const options = Object.fromEntries(parts.filter(([name]) => given.includes(name)));
    expect(() => createAuthManager({ environmentCredentials: false, ...options })).toThrow(
      new TypeError('store and lock must be given together; lock may be "process"'),
    );
  });

  it("accepts a store that one process uses alone", async () => {
    const fleet = await openFleet(EXPIRED);
    await using host = await fleet.open({ lock: "process" });
    expect(await outcomeOf(host.current())).toBe(storedTokens(fleet).access_token);
    expect(fleet.storage.calls.acquire).toBe(0);
  });
});
