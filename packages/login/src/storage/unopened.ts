import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { SharedStoreNotOpened } from "../errors/store.ts";
import { CredentialStore } from "./credential-store.ts";
import { makeCredentialStore } from "./pending-tokens.ts";

/** A store that fails: a program that ignored the shared store of its configuration would have a second sign-in. */
export const unopenedStore: Layer.Layer<CredentialStore> = Layer.sync(CredentialStore, () => {
  const fail = Effect.fail(new SharedStoreNotOpened({ setting: "agent_auth.store" }));
  return makeCredentialStore({
    load: fail,
    save: () => fail,
    remove: () => fail,
    checkWritable: fail,
    describe: {
      mode: "custom",
      places: [{ _tag: "Store", name: "agent_auth.store", where: "not opened" }],
      isPersistent: true,
    },
  });
});
