import { afterEach } from "vitest";
import { makeRequestSigner } from "../src/signing/request-signer.ts";
import { accountChangeContract } from "./contract/account-change.contract.ts";
import { headersContract } from "./contract/headers.contract.ts";
import { recoveryContract } from "./contract/recovery.contract.ts";
import { refusalsContract } from "./contract/refusals.contract.ts";
import { retriesContract } from "./contract/retries.contract.ts";
import { streamingContract } from "./contract/streaming.contract.ts";
import type { OpenFace } from "./contract/open-face.ts";
import type { Face, MakeFace } from "./support/faces.ts";

/** What every kind of client does. `name` is the function that a reader looks for. */
export const faceContract = (name: string, make: MakeFace): void => {
  const open: Array<Face> = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map((face) => face.close()));
  });
  const face: OpenFace = (options) => {
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

  headersContract(name, face);
  refusalsContract(name, face);
  recoveryContract(name, face);
  retriesContract(name, face);
  accountChangeContract(name, face);
  streamingContract(name, face);
};
