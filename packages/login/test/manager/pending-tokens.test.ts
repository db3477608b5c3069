import { link, rm } from "node:fs/promises";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import { describe, expect, it } from "vitest";
import type { AuthDocument } from "../../src/storage/auth-json/index.ts";
import {
  type CredentialStore,
  makeCredentialStore,
  type StoredDocument,
  type StoreImplementation,
} from "../../src/storage/index.ts";
import { layer as storeLayer } from "../../src/storage/configured.ts";
import { HomeLock, type HomeLockHeld } from "../../src/storage/lock/index.ts";
import { locked } from "../support/lock.ts";
import { StoreUnwritable } from "../../src/errors/index.ts";
import { layer as httpLayer } from "../../src/http/index.ts";
import { AuthManager, layerNoDeps } from "../../src/manager/index.ts";
import { createAuthManager } from "../../src/promises/index.ts";
import {
  accessTokenOf,
  chatgptDocument,
  later,
  managerOptions,
  openAuthority,
  openHome,
  withManager,
} from "./fixture.ts";

const source = { _tag: "File", path: "/home/auth.json" } as const;
const pair = (name: string): AuthDocument => ({
  authMode: "chatgpt",
  tokens: {
    idToken: Redacted.make("id"),
    accessToken: Redacted.make(`access-${name}`),
    refreshToken: Redacted.make(`refresh-${name}`),
  },
});
const stored = (document: AuthDocument): StoredDocument => ({
  document,
  source,
  version: nameOf(document),
});

/** A store on a disk that fills up and is cleared again. */
const openStore = (first: AuthDocument) => {
  const disk = { document: Option.some(first), isFull: false };
  const full = new StoreUnwritable({
    where: "auth.json",
    operation: "save",
    reason: "no space left",
  });
  const store: StoreImplementation = {
    load: Effect.sync(() => Option.map(disk.document, stored)),
    save: (document) =>
      Effect.suspend(() => {
        if (disk.isFull) return Effect.fail(full);
        disk.document = Option.some(document);
        return Effect.succeed(source);
      }),
    remove: () =>
      Effect.sync(() => {
        disk.document = Option.none();
        return true;
      }),
    checkWritable: Effect.void,
    describe: { mode: "file", places: [source], isPersistent: true },
  };
  return { disk, full, store: makeCredentialStore(store) };
};

const loadPair = (store: CredentialStore["Service"]) =>
  Effect.map(store.load, (found) =>
    Option.match(found, { onNone: () => "none", onSome: ({ document }) => nameOf(document) }),
  );
const nameOf = ({ tokens }: AuthDocument) =>
  tokens === undefined ? "no tokens" : Redacted.value(tokens.accessToken);
/** As in a program that holds the home lock. */
const run = <A, E>(effect: Effect.Effect<A, E, HomeLockHeld>): Promise<A> =>
  Effect.runPromise(Effect.provide(locked(effect), HomeLock.layerMemory));

/** An expired sign-in whose next refresh brings tokens that cannot be stored, though that was asked beforehand. */
const openUnsavable = async () => {
  const home = await openHome();
  const authority = await openAuthority();
  await home.write(await chatgptDocument(authority, { expiresInSeconds: -10 }));
  const { accessToken } = await authority.mintChatgptTokens();
  authority.behave("refresh", {
    respond: async () => {
      await link(home.authJson, `${home.authJson}.link`); // a second name, which is refused
      return { status: 200, body: JSON.stringify({ access_token: accessToken }), headers: {} };
    },
  });
  return { home, authority, accessToken };
};

describe("refreshed tokens that cannot be saved", () => {
  it("replace the spent ones, and are saved as soon as possible", async () => {
    const { disk, full, store } = openStore(pair("spent"));
    disk.isFull = true;
    const saved = await run(store.saveRefreshed(pair("new"), stored(pair("spent"))));
    expect(saved).toEqual({ source, problem: Option.some(full) });
    expect(await run(loadPair(store))).toBe("access-new");
    expect(await run(Effect.flip(store.savePending))).toBe(full);
    disk.isFull = false;
    await run(store.savePending);
    expect(Option.map(disk.document, nameOf)).toEqual(Option.some("access-new"));
  });

  it("stand in through a second refresh that cannot be saved either", async () => {
    const { disk, store } = openStore(pair("spent"));
    disk.isFull = true;
    await run(store.saveRefreshed(pair("new"), stored(pair("spent"))));
    await run(store.saveRefreshed(pair("newer"), stored(pair("new"))));
    expect(await run(loadPair(store))).toBe("access-newer");
  });

  it("are dropped if another program has stored a sign-in since", async () => {
    const { disk, store } = openStore(pair("spent"));
    disk.isFull = true;
    await run(store.saveRefreshed(pair("new"), stored(pair("spent"))));
    disk.document = Option.some(pair("other"));
    expect(await run(loadPair(store))).toBe("access-other");
    disk.document = Option.some(pair("spent"));
    expect(await run(loadPair(store))).toBe("access-spent");
  });

  it("are gone after a sign-out", async () => {
    const { disk, store } = openStore(pair("spent"));
    disk.isFull = true;
    await run(store.saveRefreshed(pair("new"), stored(pair("spent"))));
    await run(store.remove());
    expect(await run(loadPair(store))).toBe("none");
  });

  it("are not used for another store that contains the spent ones as well", async () => {
    const [first, second] = [openStore(pair("shared")), openStore(pair("shared"))];
    first.disk.isFull = true;
    await run(first.store.saveRefreshed(pair("new"), stored(pair("shared"))));
    expect(await run(loadPair(second.store))).toBe("access-shared");
    expect([first, second].map(({ store }) => store.hasPending())).toEqual([true, false]);
  });

  it("serve another manager with the same store, which spends nothing and saves them", async () => {
    const { home, authority, accessToken } = await openUnsavable();
    const options = await managerOptions({ home, authority });
    const manager = layerNoDeps(options).pipe(Layer.provide(httpLayer(options.environment)));
    const current = AuthManager.use((it) => it.current);
    const program = Effect.gen(function* () {
      yield* Effect.provide(current, Layer.fresh(manager));
      const second = yield* Effect.provide(
        Effect.tap(
          current,
          Effect.promise(() => rm(`${home.authJson}.link`)),
        ),
        Layer.fresh(manager),
      );
      expect(accessTokenOf(Option.getOrNull(second))).toBe(accessToken);
    });
    const stores = storeLayer({ mode: "file", codexHome: options.environment.codexHome });
    await Effect.runPromise(Effect.provide(program, stores));
    expect((await home.read()).tokens?.access_token).toBe(accessToken);
    expect(authority.count("refresh")).toBe(1);
  });

  it("are saved at the next use half a minute later, without another refresh", async () => {
    const { home, authority, accessToken } = await openUnsavable();
    await withManager({ home, authority }, (manager) =>
      Effect.gen(function* () {
        yield* manager.current;
        const storedAfter = (passedMs: number) =>
          Effect.andThen(
            later(passedMs, manager.current),
            Effect.promise(async () => (await home.read()).tokens?.access_token),
          );
        expect(yield* storedAfter(31_000)).not.toBe(accessToken); // the other name is still there
        yield* Effect.promise(() => rm(`${home.authJson}.link`));
        expect(yield* storedAfter(32_000)).not.toBe(accessToken);
        expect(yield* storedAfter(62_000)).toBe(accessToken);
        yield* storedAfter(93_000);
      }),
    );
    expect(authority.count("refresh")).toBe(1);
  });

  it("are reported when their manager ends", async () => {
    const { home, authority } = await openUnsavable();
    const warnings: Array<string> = [];
    const { config, environment } = await managerOptions({ home, authority });
    const manager = createAuthManager({
      config,
      environment,
      environmentCredentials: false,
      onWarning: (message) => warnings.push(message),
    });
    await manager.current();
    await manager.close();
    expect(warnings).toEqual([
      expect.stringContaining("are kept in memory"),
      expect.stringContaining("refreshed tokens could not be saved and are lost: cannot save"),
    ]);
  });
});
