import {
  makeRequestSigner,
  type RequestSignerOptions,
  type RequestSignerShape,
} from "./request-signer.ts";

/** A signer that several faces share, or what is needed to make one. */
export type SignerOptions = { readonly signer: RequestSignerShape } | RequestSignerOptions;

export const signerFrom = (options: SignerOptions): RequestSignerShape =>
  "signer" in options ? options.signer : makeRequestSigner(options);
