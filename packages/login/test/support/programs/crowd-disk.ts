// In the CODEX_HOME argv[2], on a disk of 64 KiB: stores a credential in a file with 24 KiB of another program,
// and leaves less space than that. Prints what asking beforehand brings, and the content's first key afterwards.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as Effect from "effect/Effect";
import { layer } from "../../../src/storage/configured.ts";
import { CredentialStore } from "../../../src/storage/index.ts";

const home = process.argv[2] ?? "";
const file = join(home, "auth.json");
writeFileSync(file, JSON.stringify({ OPENAI_API_KEY: "sk-old", theirs: "x".repeat(24_000) }));
writeFileSync(join(home, "filler"), Buffer.alloc(20 * 1024));

const codexHome = { path: home, explicit: true };
const check = Effect.flatMap(CredentialStore, (store) => Effect.flip(store.checkWritable));
const error = await Effect.runPromise(Effect.provide(check, layer({ mode: "file", codexHome })));
const { OPENAI_API_KEY } = JSON.parse(readFileSync(file, "utf8"));
console.log(JSON.stringify({ code: error.code, message: error.message, OPENAI_API_KEY }));
