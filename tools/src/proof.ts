// How much a heavy test does: many processes, kills or requests. npm test does enough to find a break of the rule;
// npm run proof, which CI runs as well, does the whole. Files that are left to it altogether: vitest.shared.ts.
export const isProof = process.env["AGENT_AUTH_PROOF"] === "1";

/** The full number in npm run proof, otherwise the lower one. */
export const proofSize = (size: { readonly test: number; readonly proof: number }): number =>
  isProof ? size.proof : size.test;
