import type { Account } from "./accounts.ts";
import type { Behaviour, BehaviourOptions } from "./behaviours.ts";
import type { AuthorityClock } from "./clock.ts";
import type { Endpoint } from "./endpoint-names.ts";
import type { MintAgentIdentityOptions } from "./mint.ts";
import type { MintBearerOptions, MintedAgentIdentity } from "./minting.ts";
import type { Decision } from "./oauth/authorize.ts";
import type { ChatgptTokens, MintChatgptTokensOptions } from "./oauth/tokens.ts";
import type { RecordedRequest, WaitOptions } from "./request-log.ts";
import type { Tls } from "./self-signed.ts";
import type { KeySet } from "./signing-keys.ts";
import type { Settings } from "./state.ts";

/** Options of `startTestAuthority`. All have defaults. */
export interface TestAuthorityOptions {
  /** Loopback address to listen on. Default `127.0.0.1`. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** Facts of the first account; the rest is made up. */
  readonly account?: Partial<Account>;
  /** Base of the authority's clock, milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
  /** Milliseconds by which the authority's clock is ahead of that base from the start. Default 0. */
  readonly clockOffsetMs?: number;
  /** Serve https instead of http: with this certificate, or with a fresh one that nobody trusts yet. */
  readonly tls?: Tls | "self-signed";
  /** What `configure` can change later, from the start. */
  readonly settings?: Partial<Settings>;
}

/** A running authority. `await using` closes it, and fails where an expected request never came. */
export interface TestAuthority extends AsyncDisposable {
  /** Origin, without a slash at the end: `http://127.0.0.1:<port>`. */
  readonly url: string;
  /** `<url>/backend-api`: what `chatgpt_base_url` is set to. */
  readonly chatgptBaseUrl: string;
  /** `<url>/v1`: what `openai_base_url` is set to, and the `baseURL` of an OpenAI client with an API key. */
  readonly openaiBaseUrl: string;
  /** `<url>/api/accounts`: the accounts API (personal access tokens, biscuits, agents, tasks). */
  readonly accountsBaseUrl: string;
  /** PEM of the certificate that it serves https with; absent for http. */
  readonly certificate?: string;
  /** The OAuth issuer; the same as `url`. */
  readonly issuer: string;

  /** The first account, which minting uses where no other is named. */
  readonly account: Account;
  /** A further account, which the consent page offers too. */
  readonly createAccount: (given?: Partial<Account>) => Account;

  /** An agent identity JWT that is good, or spoiled as the options say. The authority knows its agent. */
  readonly mintAgentIdentityJwt: (options?: MintAgentIdentityOptions) => Promise<string>;
  /** The same, with what the JWT holds: id, account and key. */
  readonly mintAgentIdentity: (options?: MintAgentIdentityOptions) => Promise<MintedAgentIdentity>;
  /** A sign-in's three tokens, all honoured, as if a person had signed in. */
  readonly mintChatgptTokens: (options?: MintChatgptTokensOptions) => Promise<ChatgptTokens>;
  /** Makes up and adds a key (or adds the one given). */
  readonly addApiKey: (options?: MintBearerOptions & { readonly key?: string }) => string;
  /** A token that starts with `at-`. */
  readonly mintPersonalAccessToken: (options?: MintBearerOptions) => string;

  /** The key set as it is published. */
  readonly jwks: () => Promise<KeySet>;
  /** Signs with a new key from now on; answers its key id. `keepOld: false` stops publishing the others. */
  readonly rotateSigningKey: (options?: { readonly keepOld?: boolean }) => Promise<string>;
  /** Publishes these keys beside the authority's own, as they are (strange ones too). */
  readonly publishKeys: (keys: ReadonlyArray<Readonly<Record<string, unknown>>>) => void;

  /**
   * Makes an endpoint misbehave, `times` times or until the returned function is called. Several for one endpoint take
   * turns in the order in which they were asked for, so one without `times` keeps those behind it waiting.
   */
  readonly behave: (
    endpoint: Endpoint,
    behaviour: Behaviour,
    options?: BehaviourOptions,
  ) => () => void;
  /** Drops all behaviours, or those asked for under this endpoint's name. */
  readonly resetBehaviour: (endpoint?: Endpoint) => void;
  /** Resets every open connection, idle ones in a client's pool included; returns how many there were. */
  readonly resetConnections: () => number;
  /** Changes settings from now on. */
  readonly configure: (settings: Partial<Settings>) => void;
  /** The authority's own time, by which it mints tokens and judges them. Clients keep theirs. */
  readonly clock: AuthorityClock;

  /** Forgets an agent, so that it gets no task and its assertions are refused; whether it was known. */
  readonly revokeAgent: (agentRuntimeId: string) => boolean;
  /** Forgets a registered task, so that assertions which name it are refused. Without an id: all tasks. */
  readonly revokeTask: (taskId?: string) => void;
  /** Refuses this access token, personal access token or API key from now on; whether it was known. */
  readonly revokeAccessToken: (token: string) => boolean;
  /** Lets a bearer token expire now, whatever its claims say; whether it was known. */
  readonly expireAccessToken: (token: string) => boolean;

  /** Ends the sign-in that a refresh token belongs to, with all its tokens; whether it was known. */
  readonly revokeRefreshToken: (token: string) => boolean;
  /** Lets a refresh token expire now; whether it was known. */
  readonly expireRefreshToken: (token: string) => boolean;
  /**
   * Answers an authorize URL as a person would (default: approve); the callback URL to visit next. Throws
   * `SignInLinkBroken` where a person would be shown that the link is broken.
   */
  readonly decideSignIn: (authorizeUrl: string, decision?: Decision) => string;
  /** Answers a device sign-in by its user code, as its page does; whether the code was waiting. */
  readonly decideDevice: (userCode: string, decision: Decision) => boolean;

  /** Everything that arrived, in order, nothing redacted. */
  readonly requests: ReadonlyArray<RecordedRequest>;
  /** Those to one endpoint. `unknown` is the name of every path that nothing answers at. */
  readonly requestsTo: (endpoint: Endpoint) => ReadonlyArray<RecordedRequest>;
  /** How many of them there are. */
  readonly count: (endpoint: Endpoint) => number;
  /** Forgets the requests that arrived. What is expected stays so. */
  readonly clearRequests: () => void;
  /** Resolves with a request that came or is still to come; rejects with `ExpectedRequestMissing`. */
  readonly waitForRequest: (endpoint: Endpoint, options?: WaitOptions) => Promise<RecordedRequest>;
  /** Announces that at least so many requests must come (default 1); see `verify`. */
  readonly expect: (endpoint: Endpoint, options?: { readonly times?: number }) => void;
  /** Throws `ExpectedRequestMissing` where an announced request has not come. Disposal calls it. */
  readonly verify: () => void;

  /** Closes every connection, also hanging ones, and the server. Does not verify. */
  readonly close: () => Promise<void>;
}
