// In the CODEX_HOME argv[2], on a disk that is small or with a limit on file sizes: saves a small credential, uses the
// space up, and tries a large one. Prints what happened as JSON.
import { closeSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { layer } from "../../../src/storage/configured.ts";
import { CredentialStore } from "../../../src/storage/index.ts";
import { locked } from "../lock.ts";

// The system would end the process at its limit of file sizes; with a listener it answers EFBIG instead.
process.on("SIGXFSZ", () => undefined);

const home = process.argv[2] ?? "";
const small = { openaiApiKey: Redacted.make("sk-old") };
const large = { openaiApiKey: Redacted.make(`canary-${"x".repeat(40_000)}`) };

const fill = (path: string): void => {
  const fd = openSync(path, "w");
  try {
    for (;;) writeSync(fd, Buffer.alloc(4096));
  } catch {
    closeSync(fd); // full, at last
  }
};

const trying = Effect.gen(function* () {
  const store = yield* CredentialStore;
  yield* locked(store.save(small));
  const filler = join(home, "filler");
  fill(filler);
  const check = yield* Effect.flip(store.checkWritable);
  const save = yield* Effect.flip(locked(store.save(large)));
  const names = readdirSync(home).filter((name) => !name.endsWith(".lock"));
  const file = readFileSync(join(home, "auth.json"), "utf8");
  rmSync(filler);
  yield* Effect.result(locked(store.remove()));
  const codes = [check, save].map((error) => [
    error.code,
    "systemCode" in error ? error.systemCode : undefined,
  ]);
  return { codes, names, file, messages: [check.message, save.message, String(save)] };
});

const codexHome = { path: home, explicit: true };
const outcome = await Effect.runPromise(Effect.provide(trying, layer({ mode: "file", codexHome })));
console.log(JSON.stringify(outcome));
