// Uses the auto store of the CODEX_HOME argv[2] as if neither koffi nor @napi-rs/keyring were installed. Prints what
// happened as JSON.
import { registerHooks } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import { layer } from "../../../src/storage/configured.ts";
import { CredentialStore } from "../../../src/storage/index.ts";
import type { StoreWarning } from "../../../src/errors/store.ts";
import { locked } from "../lock.ts";

registerHooks({
  resolve: (specifier, context, next) => {
    if (specifier === "koffi" || specifier === "@napi-rs/keyring") throw new Error("not installed");
    return next(specifier, context);
  },
});

const home = process.argv[2] ?? "";
const warnings: Array<string> = [];
const onWarning = (error: StoreWarning) => Effect.sync(() => void warnings.push(error.message));

const using = Effect.gen(function* () {
  const store = yield* CredentialStore;
  const { _tag } = yield* locked(store.save({ openaiApiKey: Redacted.make("sk-1") }));
  const file = readFileSync(join(home, "auth.json"), "utf8");
  const found = Option.isSome(yield* store.load);
  const removed = yield* locked(store.remove());
  return { _tag, file, found, removed, warnings };
});

const codexHome = { path: home, explicit: true };
const outcome = await Effect.runPromise(
  Effect.provide(using, layer({ mode: "auto", codexHome, onWarning })),
);
console.log(JSON.stringify(outcome));
