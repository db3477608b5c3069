import type { Account } from "./identities/accounts.ts";
import type { Behaviour, BehaviourOptions } from "./steering/behaviours.ts";
import type { AuthorityClock } from "./steering/clock.ts";
import type { Endpoint } from "./steering/endpoint-names.ts";
import type { MintAgentIdentityOptions } from "./identities/claims.ts";
import type { MintBearerOptions, MintedAgentIdentity } from "./identities/mint.ts";
import type {
  MintIdentityTokenOptions,
  ServiceAccount,
  WorkloadRuleOptions,
} from "./identities/workloads.ts";
import type { Platform } from "./endpoints/platforms.ts";
import type { WorkloadApi, WorkloadApiOptions } from "./endpoints/spiffe.ts";
import type { Decision } from "./oauth/authorize.ts";
import type { ChatgptTokens, MintChatgptTokensOptions } from "./oauth/tokens.ts";
import type { RecordedRequest, WaitOptions } from "./steering/request-log.ts";
import type { Tls } from "./http/certificate.ts";
import type { KeySet } from "./identities/signing-keys.ts";
import type { Settings } from "./state.ts";

/** Options of `startTestAuthority`. */
export interface TestAuthorityOptions {
  /** Loopback address to listen on. Default `127.0.0.1`. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** Properties of the first account; the others are generated. */
  readonly account?: Partial<Account>;
  /** Time source of the authority's clock, in milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
  /** Milliseconds by which the authority's clock is ahead of `now`. Default 0. */
  readonly clockOffsetMs?: number;
  /** Serves https with this certificate, or with a new self-signed one. Default: http. */
  readonly tls?: Tls | "self-signed";
  /**
   * Also starts an HTTP proxy, `proxyUrl`, that sends https requests for these hosts to this authority and rejects all
   * other requests. For programs whose URLs cannot be configured. A self-signed certificate is valid for the hosts.
   */
  readonly proxiedHosts?: ReadonlyArray<string>;
  /** Initial settings; `configure` changes them later. */
  readonly settings?: Partial<Settings>;
}

/** A running authority. `await using` closes it, and throws if an expected request did not arrive. */
export interface TestAuthority extends AsyncDisposable {
  /** Origin, without a slash at the end: `http://127.0.0.1:<port>`. */
  readonly url: string;
  /** `<url>/backend-api`, the value for `chatgpt_base_url`. */
  readonly chatgptBaseUrl: string;
  /** `<url>/v1`, the value for `openai_base_url` and for the `baseURL` of an OpenAI client with an API key. */
  readonly openaiBaseUrl: string;
  /** `<url>/api/accounts`: the accounts API (personal access tokens, biscuits, agents, tasks). */
  readonly accountsBaseUrl: string;
  /** Certificate (PEM) of an https authority; absent for http. */
  readonly certificate?: string;
  /** The value for `HTTPS_PROXY`; absent without `proxiedHosts`. */
  readonly proxyUrl?: string;
  /** The OAuth issuer, the same as `url`. */
  readonly issuer: string;

  /** The first account, the default for minted credentials. */
  readonly account: Account;
  /** Adds an account, which the consent page offers as well. */
  readonly createAccount: (given?: Partial<Account>) => Account;

  /** Mints an agent identity JWT, valid unless the options say otherwise, and registers its agent. */
  readonly mintAgentIdentityJwt: (options?: MintAgentIdentityOptions) => Promise<string>;
  /** The same, and returns the id, account and key in the JWT as well. */
  readonly mintAgentIdentity: (options?: MintAgentIdentityOptions) => Promise<MintedAgentIdentity>;
  /** Mints the three tokens of a ChatGPT sign-in. */
  readonly mintChatgptTokens: (options?: MintChatgptTokensOptions) => Promise<ChatgptTokens>;
  /** Adds the given API key, or a new one. Returns it. */
  readonly addApiKey: (options?: MintBearerOptions & { readonly key?: string }) => string;
  /** Mints a personal access token, which starts with `at-`. */
  readonly mintPersonalAccessToken: (options?: MintBearerOptions) => string;

  /** Adds a rule by which identity tokens are exchanged for a workspace token. Returns its id. */
  readonly addFederationRule: (options?: WorkloadRuleOptions) => string;
  /** Adds a service account: identity tokens are exchanged for its API token. */
  readonly addServiceAccount: (options?: WorkloadRuleOptions) => ServiceAccount;
  /** Mints an identity token, as the platform of a program does. */
  readonly mintIdentityToken: (options?: MintIdentityTokenOptions) => Promise<string>;

  /** The variables that a platform sets in a job, or for its metadata server; this authority stands for the platform. */
  readonly platformVariables: (platform: Platform) => Readonly<Record<string, string>>;

  /** Serves a SPIFFE Workload API on a Unix socket, with JWT-SVIDs that this authority signs. The caller closes it. */
  readonly serveWorkloadApi: (
    socketPath: string,
    options?: WorkloadApiOptions,
  ) => Promise<WorkloadApi>;

  /** The published key set. */
  readonly jwks: () => Promise<KeySet>;
  /** Signs with a new key from now on. Returns its key id. `keepOld: false` stops publishing the others. */
  readonly rotateSigningKey: (options?: { readonly keepOld?: boolean }) => Promise<string>;
  /** Publishes these keys, unchecked, in addition to the authority's own. */
  readonly publishKeys: (keys: ReadonlyArray<Readonly<Record<string, unknown>>>) => void;

  /**
   * Makes an endpoint misbehave, `times` times or until the returned function is called. Several behaviours of one
   * endpoint apply in the order of the calls; one without `times` blocks those after it.
   */
  readonly behave: (
    endpoint: Endpoint,
    behaviour: Behaviour,
    options?: BehaviourOptions,
  ) => () => void;
  /** Removes all behaviours, or those of this endpoint. */
  readonly resetBehaviour: (endpoint?: Endpoint) => void;
  /** Resets every open connection, idle ones in a client's pool included; returns how many there were. */
  readonly resetConnections: () => number;
  /** Changes settings from now on. */
  readonly configure: (settings: Partial<Settings>) => void;
  /** The clock by which the authority mints and checks tokens. It does not change the clients' clock. */
  readonly clock: AuthorityClock;

  /** Removes an agent: it cannot register tasks, and its assertions are rejected. Returns whether it was known. */
  readonly revokeAgent: (agentRuntimeId: string) => boolean;
  /** Removes a registered task, or all tasks: assertions for it are rejected. */
  readonly revokeTask: (taskId?: string) => void;
  /** Revokes an access token, personal access token or API key. Returns whether it was known. */
  readonly revokeAccessToken: (token: string) => boolean;
  /** Makes a bearer token expire now, regardless of its claims. Returns whether it was known. */
  readonly expireAccessToken: (token: string) => boolean;

  /** Revokes all tokens of the sign-in that a refresh token belongs to. Returns whether it was known. */
  readonly revokeRefreshToken: (token: string) => boolean;
  /** Makes a refresh token expire now. Returns whether it was known. */
  readonly expireRefreshToken: (token: string) => boolean;
  /**
   * Decides an authorize URL as a user would (default: approve). Returns the callback URL. Throws `SignInLinkBroken`
   * if the page would show an error instead of redirecting.
   */
  readonly decideSignIn: (authorizeUrl: string, decision?: Decision) => string;
  /** Decides a device sign-in by its user code. Returns whether the code was pending. */
  readonly decideDevice: (userCode: string, decision: Decision) => boolean;

  /** Enters a device's code in the page of the gateway. Returns whether it was pending. */
  readonly approveGatewayDevice: (userCode: string) => boolean;
  /** Enters the codes of all devices that wait for the gateway. */
  readonly approveAllGatewayDevices: () => void;
  /** Makes the gateway refuse all of its access tokens. Refresh tokens stay. */
  readonly expireGatewayTokens: () => void;
  /** Ends every sign-in to the gateway. */
  readonly revokeGatewaySignIns: () => void;

  /** All requests in order of arrival, not redacted. */
  readonly requests: ReadonlyArray<RecordedRequest>;
  /** The requests to one endpoint; `unknown` stands for every other path. */
  readonly requestsTo: (endpoint: Endpoint) => ReadonlyArray<RecordedRequest>;
  /** The number of requests to one endpoint. */
  readonly count: (endpoint: Endpoint) => number;
  /** Clears the recorded requests. Expectations stay. */
  readonly clearRequests: () => void;
  /** Resolves with a past or future request. Rejects with `ExpectedRequestMissing` after `timeoutMs`. */
  readonly waitForRequest: (endpoint: Endpoint, options?: WaitOptions) => Promise<RecordedRequest>;
  /** Expects at least `times` requests (default 1); `verify` checks that they arrived. */
  readonly expect: (endpoint: Endpoint, options?: { readonly times?: number }) => void;
  /** Throws `ExpectedRequestMissing` if an expected request did not arrive. Disposal calls it. */
  readonly verify: () => void;

  /** Closes the server and every connection. Does not call `verify`. */
  readonly close: () => Promise<void>;
}
