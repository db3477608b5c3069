import { afterEach } from "vitest";
import { makeRequestSigner } from "../src/signing/request-signer.ts";
import { accountChangeContract } from "./contract/account-change.contract.ts";
import { headersContract } from "./contract/headers.contract.ts";
import { recoveryContract } from "./contract/recovery.contract.ts";
import { refusalsContract } from "./contract/refusals.contract.ts";
import { retriesContract } from "./contract/retries.contract.ts";
import { streamingContract } from "./contract/streaming.contract.ts";
import type { OpenClient } from "./contract/open-client.ts";
import type { TestClient, MakeClient } from "./support/clients.ts";

/** What every kind of client does. `name` is the function that a reader looks for. */
export const clientContract = (name: string, make: MakeClient): void => {
  const open: Array<TestClient> = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map((client) => client.close()));
  });
  const openClient: OpenClient = (options) => {
    const { provider, manager, now, ...requests } = options;
    const signer = makeRequestSigner({
      provider,
      ...(manager === undefined ? {} : { manager }),
      ...(now === undefined ? {} : { now }),
    });
    const made = make({ signer, ...requests });
    open.push(made);
    return made;
  };

  headersContract(name, openClient);
  refusalsContract(name, openClient);
  recoveryContract(name, openClient);
  retriesContract(name, openClient);
  accountChangeContract(name, openClient);
  streamingContract(name, openClient);
};
