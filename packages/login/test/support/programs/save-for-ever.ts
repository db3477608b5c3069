// Saves credentials numbered from argv[3] on, until it is killed; tells before and after each.
import { writeSync } from "node:fs";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { layer } from "../../../src/storage/configured.ts";
import { CredentialStore } from "../../../src/storage/index.ts";
import { locked } from "../lock.ts";

const [home = "", first = "0"] = process.argv.slice(2);

const saving = Effect.gen(function* () {
  const store = yield* CredentialStore;
  for (let number = Number(first); ; number++) {
    writeSync(1, `start ${number}\n`);
    const openaiApiKey = Redacted.make(`sk-${number}-${"x".repeat(20_000)}-end`);
    yield* locked(store.save({ authMode: "apikey", openaiApiKey }));
    writeSync(1, `done ${number}\n`);
  }
});

await Effect.runPromise(
  Effect.provide(saving, layer({ mode: "file", codexHome: { path: home, explicit: true } })),
);
