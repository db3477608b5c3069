import type { Account } from "./accounts.ts";
import { Directory } from "./accounts.ts";
import { Behaviours } from "./behaviours.ts";
import type { AuthorityClock } from "./clock.ts";
import { makeClock } from "./clock.ts";
import { OAuthStore } from "./oauth/store.ts";
import { RequestLog } from "./request-log.ts";
import { SigningKeys } from "./signing-keys.ts";

/** The four spellings of a registered task's id; `encrypted…` carry it sealed to the agent's key. */
export type TaskIdField = "task_id" | "taskId" | "encrypted_task_id" | "encryptedTaskId";

/** What a test may change while the authority runs. */
export interface Settings {
  taskIdField: TaskIdField;
  /** `Cache-Control` of the key set; null sends none. */
  jwksCacheControl: string | null;
  /** TOML of a workspace's managed configuration, as its members' Codex fetches it; null for none. */
  managedConfig: string | null;
  /** TOML of what a workspace requires of its members' configuration; null for nothing. */
  managedRequirements: string | null;
  /** The assistant's text in every model answer. */
  replyText: string;
  /** Milliseconds between two pieces of a streamed model answer. */
  replyDelayMs: number;
  /** Whether a refresh token that comes back a second time kills its whole family. */
  punishReuse: boolean;
  /** Lifetime of the access and id tokens of a sign-in or refresh. */
  accessTokenSeconds: number;
  /** Lifetime of an authorization code; 0 makes codes that have expired already. */
  authorizationCodeSeconds: number;
  /** How `/oauth/token` spells a refusal: `{error:{…}}`, `{error, error_description}`, or `{code, message}`. */
  tokenErrorShape: "object" | "string" | "code";
  /** Whether the error codes of `/oauth/token` are sent in lower or upper case (`REFRESH_TOKEN_EXPIRED`). */
  tokenErrorCase: "lower" | "upper";
  /** Whether the authorize page asks, or answers at once for the first account. */
  consent: "ask" | "approve" | "deny";
  /** `error_description` of a denial; one with `missing_codex_entitlement` has a text of its own in clients. */
  denialDescription: string;
  /** Sends a `state` back that is not the program's. */
  spoilState: boolean;
  /** How the device endpoint spells its answer's field for the code. */
  deviceUserCodeField: "user_code" | "usercode";
  /** Whether device sign-in is offered (404 where not). */
  deviceSignInEnabled: boolean;
  /** Seconds between polls, as the device endpoint tells clients (Codex reads only a string); null leaves it out. */
  deviceIntervalSeconds: number | string | null;
  /** Lifetime of a device sign-in's code. */
  deviceCodeSeconds: number;
}

/** All that the endpoints share. */
export interface AuthorityState {
  readonly clock: AuthorityClock;
  readonly keys: SigningKeys;
  readonly directory: Directory;
  readonly oauth: OAuthStore;
  readonly behaviours: Behaviours;
  readonly log: RequestLog;
  readonly settings: Settings;
  /** The account that minting uses where no other is named. */
  readonly account: Account;
  /** Origin that the authority is reached under; known once it listens. */
  origin: string;
}

/** Throws `TypeError` for a setting that does not exist. */
export const changeSettings = (settings: Settings, changes: Partial<Settings>): void => {
  for (const name of Object.keys(changes))
    if (!(name in settings)) throw new TypeError(`there is no setting ${name}`);
  Object.assign(settings, changes);
};

/** A fresh authority's state, with one account in it. */
export const makeState = (now: () => number, account: Partial<Account>): AuthorityState => {
  const directory = new Directory();
  return {
    clock: makeClock(now),
    keys: new SigningKeys(),
    directory,
    oauth: new OAuthStore(),
    behaviours: new Behaviours(),
    log: new RequestLog(),
    account: directory.addAccount(account),
    origin: "",
    settings: {
      taskIdField: "task_id",
      jwksCacheControl: "public, max-age=300",
      managedConfig: null,
      managedRequirements: null,
      replyText: "Hello from the test authority.",
      replyDelayMs: 0,
      punishReuse: true,
      accessTokenSeconds: 3600,
      authorizationCodeSeconds: 600,
      tokenErrorShape: "object",
      tokenErrorCase: "lower",
      consent: "ask",
      denialDescription: "the person said no",
      spoilState: false,
      deviceUserCodeField: "user_code",
      deviceSignInEnabled: true,
      deviceIntervalSeconds: "5",
      deviceCodeSeconds: 900,
    },
  };
};
