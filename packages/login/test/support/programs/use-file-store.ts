// In the CODEX_HOME argv[2], does what the following words say to the file store: check, load, remove, save:<API key>.
// Prints the outcomes as JSON: what was loaded or removed, "done", or the error's code, message and hint.
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import * as Result from "effect/Result";
import { layer } from "../../../src/storage/configured.ts";
import { CredentialStore } from "../../../src/storage/index.ts";
import { locked } from "../lock.ts";

const [home = "", ...words] = process.argv.slice(2);

const operation = (word: string) =>
  CredentialStore.use((store) => {
    if (word === "check") return Effect.as(store.checkWritable, "done" as unknown);
    if (word === "remove") return locked(store.remove());
    if (word !== "load") {
      const openaiApiKey = Redacted.make(word.slice("save:".length));
      return Effect.as(locked(store.save({ authMode: "apikey", openaiApiKey })), "done");
    }
    return Effect.map(
      store.load,
      Option.match({
        onNone: () => "nothing",
        onSome: ({ document }) => document.openaiApiKey && Redacted.value(document.openaiApiKey),
      }),
    );
  });

const outcomes = Effect.forEach(words, (word) =>
  Effect.map(Effect.result(operation(word)), (result) =>
    Result.isSuccess(result)
      ? result.success
      : {
          code: result.failure.code,
          message: result.failure.message,
          hint: result.failure.hint,
        },
  ),
);

const stores = layer({ mode: "file", codexHome: { path: home, explicit: true } });
console.log(JSON.stringify(await Effect.runPromise(Effect.provide(outcomes, stores))));
