import type { AuthTokens } from "../storage/auth-json/index.ts";
import type { RefreshRejected } from "../errors/index.ts";
import { fingerprint } from "../storage/fingerprint.ts";

/** The last refresh token that the authority refused for good, by its fingerprint. */
export interface Rejections {
  readonly of: (tokens: AuthTokens) => RefreshRejected | undefined;
  readonly last: () => RefreshRejected | undefined;
  readonly remember: (tokens: AuthTokens, rejection: RefreshRejected) => void;
}

export const makeRejections = (): Rejections => {
  let last: { readonly token: string; readonly rejection: RefreshRejected } | undefined;
  return {
    of: ({ refreshToken }) =>
      last?.token === fingerprint(refreshToken) ? last.rejection : undefined,
    last: () => last?.rejection,
    remember: ({ refreshToken }, rejection) => {
      last = { token: fingerprint(refreshToken), rejection };
    },
  };
};
