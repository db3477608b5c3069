interface Code {
  readonly challenge: string;
  readonly redirectUri: string;
}

/** What the gateway has issued. */
export class Gateway {
  readonly codes = new Map<string, Code>();
  /** Whether the person has entered the code. */
  readonly devices = new Map<string, { readonly userCode: string; isApproved: boolean }>();
  readonly accessTokens = new Map<string, number>();
  readonly refreshTokens = new Set<string>();
}
