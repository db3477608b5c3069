// A program that opens a manager, prints what it found, and ends without closing anything.
import { createAuthManager } from "@agent-auth/login/promises";
import * as Redacted from "effect/Redacted";
import { openSqlStore } from "../../src/promises/index.ts";

const [url = "", keys = ""] = process.argv.slice(2);
const store = openSqlStore(url, { keys: { _tag: "Text", keys: Redacted.make(keys) } });
const manager = createAuthManager({
  storage: store.storage,
  environmentCredentials: false,
  followStore: true,
  variables: {},
});
console.log((await manager.current())?._tag ?? "signed out");
