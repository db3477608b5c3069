import type { Account } from "./identities/accounts.ts";
import { Agents } from "./identities/agents.ts";
import { Directory } from "./identities/accounts.ts";
import { Behaviours } from "./steering/behaviours.ts";
import type { AuthorityClock } from "./steering/clock.ts";
import { makeClock } from "./steering/clock.ts";
import { Gateway } from "./oauth/gateway-store.ts";
import { OAuthStore } from "./oauth/store.ts";
import { RequestLog } from "./steering/request-log.ts";
import { SigningKeys } from "./identities/signing-keys.ts";
import { Workloads } from "./identities/workload-store.ts";

/** The four names of the field with a registered task's id; in `encrypted…` it is sealed to the agent's key. */
export type TaskIdField = "task_id" | "taskId" | "encrypted_task_id" | "encryptedTaskId";

/** Settings that a test may change while the authority runs. */
export interface Settings {
  taskIdField: TaskIdField;
  /** `Cache-Control` of the key set; null sends none. */
  jwksCacheControl: string | null;
  /** TOML of the workspace's managed configuration, which Codex fetches; null for none. */
  managedConfig: string | null;
  /** TOML of what a workspace requires of its members' configuration; null for nothing. */
  managedRequirements: string | null;
  /** Origin to which `accountsCheck` sends the model requests of every workspace; `NO_CONSTRAINT` for the configured one. */
  workspaceBackendOrigin: string;
  /** `account_routing_override` of `accountsCheck`; null: `us_cr` for FedRAMP accounts, else `NO_CONSTRAINT`. */
  accountRoutingOverride: string | null;
  /** The assistant's text in every model reply. */
  replyText: string;
  /** Milliseconds between two events of a streamed model reply. */
  replyDelayMs: number;
  /** Whether reuse of a refresh token revokes its whole family. */
  punishReuse: boolean;
  /** Lifetime of the access and id tokens of a sign-in or refresh. */
  accessTokenSeconds: number;
  /** Lifetime of the token that an identity token is exchanged for. */
  workloadTokenSeconds: number;
  /** Lifetime of an authorization code; 0 issues expired codes. */
  authorizationCodeSeconds: number;
  /** Shape of `/oauth/token` errors: `{error:{…}}`, `{error, error_description}`, or `{code, message}`. */
  tokenErrorShape: "object" | "string" | "code";
  /** Whether the error codes of `/oauth/token` are sent in lower or upper case (`REFRESH_TOKEN_EXPIRED`). */
  tokenErrorCase: "lower" | "upper";
  /** Whether the authorize page asks the user, or decides at once for the first account. */
  consent: "ask" | "approve" | "deny";
  /** `error_description` of a denial. Clients show their own text for `missing_codex_entitlement`. */
  denialDescription: string;
  /** Whether the callback has a wrong `state`. */
  wrongState: boolean;
  /** Name of the device endpoint's field for the code. */
  deviceUserCodeField: "user_code" | "usercode";
  /** Whether device sign-in is enabled; if not, its endpoints respond with 404. */
  deviceSignInEnabled: boolean;
  /** Seconds between polls that the device endpoint asks for (Codex accepts only a string); null omits it. */
  deviceIntervalSeconds: number | string | null;
  /** Lifetime of a device sign-in's code. */
  deviceCodeSeconds: number;
}

/** State that the endpoints share. */
export interface AuthorityState {
  readonly clock: AuthorityClock;
  readonly keys: SigningKeys;
  readonly directory: Directory;
  readonly agents: Agents;
  readonly oauth: OAuthStore;
  readonly workloads: Workloads;
  readonly gateway: Gateway;
  readonly behaviours: Behaviours;
  readonly log: RequestLog;
  readonly settings: Settings;
  /** The default account of minted credentials. */
  readonly account: Account;
  /** Origin of the authority; set when it listens. */
  origin: string;
}

/** Throws `TypeError` for a setting that does not exist. */
export const changeSettings = (settings: Settings, changes: Partial<Settings>): void => {
  for (const name of Object.keys(changes))
    if (!(name in settings)) throw new TypeError(`unknown setting ${name}`);
  Object.assign(settings, changes);
};

/** A new authority's state, with one account. */
export const makeState = (now: () => number, account: Partial<Account>): AuthorityState => {
  const directory = new Directory();
  const clock = makeClock(now);
  return {
    clock,
    agents: new Agents(clock),
    keys: new SigningKeys(),
    directory,
    oauth: new OAuthStore(),
    workloads: new Workloads(),
    gateway: new Gateway(),
    behaviours: new Behaviours(),
    log: new RequestLog(),
    account: directory.addAccount(account),
    origin: "",
    settings: {
      taskIdField: "task_id",
      jwksCacheControl: "public, max-age=300",
      managedConfig: null,
      managedRequirements: null,
      workspaceBackendOrigin: "NO_CONSTRAINT",
      accountRoutingOverride: null,
      replyText: "Hello from the test authority.",
      replyDelayMs: 0,
      punishReuse: true,
      accessTokenSeconds: 3600,
      workloadTokenSeconds: 3600,
      authorizationCodeSeconds: 600,
      tokenErrorShape: "object",
      tokenErrorCase: "lower",
      consent: "ask",
      denialDescription: "the user denied the request",
      wrongState: false,
      deviceUserCodeField: "user_code",
      deviceSignInEnabled: true,
      deviceIntervalSeconds: "5",
      deviceCodeSeconds: 900,
    },
  };
};
