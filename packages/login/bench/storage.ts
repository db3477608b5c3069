import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBench } from "@agent-auth/tools/bench";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { layer } from "../src/storage/configured.ts";
import { CredentialStore } from "../src/storage/index.ts";
import type { AuthDocument } from "../src/storage/auth-json/index.ts";
import { HomeLock } from "../src/storage/lock/index.ts";

const home = mkdtempSync(join(tmpdir(), "agent-auth-bench-"));
const path = join(home, "auth.json");
const codexHome = { path: home, explicit: true };
const { lock, store } = await Effect.runPromise(
  Effect.provide(
    Effect.all({ store: CredentialStore, lock: HomeLock }),
    layer({ mode: "file", codexHome }),
  ),
);
const save = (document: AuthDocument) => Effect.runPromise(lock.withLock(store.save(document)));
await save({ authMode: "apikey", openaiApiKey: Redacted.make(`sk-proj-${"x".repeat(48)}`) });

// Root also finds out who controls the path (storage/privilege.ts), which costs about 5 µs.
const isRoot = process.geteuid?.() === 0;
const against = `against JSON.parse(readFileSync)${isRoot ? ", as root" : ""}`;

const bench = makeBench("login: storage");
await bench.compare(`load an API key from its file, ${against}`, {
  reference: () => JSON.parse(readFileSync(path, "utf8")),
  subject: () => Effect.runSync(store.load),
  limit: isRoot ? 3 : 2,
});
await save({
  authMode: "chatgpt",
  tokens: {
    idToken: Redacted.make("i".repeat(2_000)),
    accessToken: Redacted.make("a".repeat(2_000)),
    refreshToken: Redacted.make("r".repeat(100)),
    accountId: "acc",
  },
  lastRefresh: "2026-04-13T12:00:00.123456Z",
});
await bench.compare(`load ChatGPT tokens from their file, ${against}`, {
  reference: () => JSON.parse(readFileSync(path, "utf8")),
  subject: () => Effect.runSync(store.load),
  limit: isRoot ? 3.5 : 2.5,
});
rmSync(home, { recursive: true });
bench.report();
