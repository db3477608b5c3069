import type { Remedy } from "@agent-auth/agent-identity/errors";
import type { ModelProviderError } from "@agent-auth/model-provider/errors";
import type { ExitCode } from "./exit-code.ts";

/** What every typed error of these packages has. */
export interface Reportable {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly remedy?: Remedy | undefined;
  /** Replaces the next step that the tables below would give. */
  readonly nextStep?: string | undefined;
  readonly exitCode?: ExitCode | undefined;
}

const login = "agent-auth login";
const logout = "agent-auth logout";
const deviceLogin = "agent-auth login --device-auth";
const agentLogin = "agent-auth login --with-agent-identity";
const doctor = "agent-auth doctor";
const listAccounts = "agent-auth accounts list";
const removeAccount = "agent-auth accounts remove";

/** How a hint becomes a next step: a text replaces it, or one of our commands replaces or follows it, or it stays. */
type Step =
  | string
  | { readonly _tag: "Replace" | "Append"; readonly command: string }
  | { readonly _tag: "Keep" };

const replaceWith = (command: string): Step => ({ _tag: "Replace", command });
const append = (command: string): Step => ({ _tag: "Append", command });
const keep: Step = { _tag: "Keep" };

/** The step for each remedy. */
const stepForRemedy: Readonly<Record<Remedy, Step>> = {
  signIn: replaceWith(login),
  retry: keep,
  fixInput: keep,
  fixEnvironment: keep,
  fixConfig: keep,
  fixStore: append(doctor),
  fixNetwork: append(doctor),
  contactAdmin: keep,
};

/** The step for one error: that of its remedy, unless its code or its fields allow a better one. */
const stepForError = (error: ModelProviderError): Step => {
  switch (error.code) {
    // The token may have been piped in; for one from a source, explainCredentialError names the source.
    case "AGENT_IDENTITY_ASSERTION_AGENT_UNKNOWN":
    case "AGENT_IDENTITY_JWT_ALGORITHM_NOT_ALLOWED":
    case "AGENT_IDENTITY_JWT_AUDIENCE_MISMATCH":
    case "AGENT_IDENTITY_JWT_CLAIM_INVALID":
    case "AGENT_IDENTITY_JWT_CRITICAL_HEADER_UNSUPPORTED":
    case "AGENT_IDENTITY_JWT_EXPIRED":
    case "AGENT_IDENTITY_JWT_KID_MISSING":
    case "AGENT_IDENTITY_JWT_SIGNATURE_INVALID":
      return keep;
    case "AGENT_IDENTITY_KEY_MALFORMED":
    case "AGENT_IDENTITY_STORED_RECORD_INVALID":
    case "AGENT_IDENTITY_TASK_ID_DECRYPTION_FAILED":
    case "AGENT_IDENTITY_TASK_REGISTRATION_REJECTED":
      return append(agentLogin);
    case "LOGIN_ACCOUNT_EXISTS":
      if (error.what === "signIn") return append(listAccounts);
      return error.isCurrent ? keep : `Choose another name, or run: ${removeAccount} ${error.name}`;
    case "LOGIN_ACCOUNT_IN_USE":
      return append(logout);
    case "LOGIN_ACCOUNT_NOT_FOUND":
      return replaceWith(listAccounts);
    case "LOGIN_ACCOUNT_NOT_KEPT":
      return replaceWith("agent-auth accounts add NAME --current");
    case "LOGIN_ACCOUNT_UNREADABLE":
      return append(`${removeAccount} ${error.name}`);
    case "LOGIN_AUTH_JSON_INVALID":
      return `Correct it, or remove it and sign in again: ${logout} && ${login}`;
    case "LOGIN_CALLBACK_PORTS_TAKEN":
      return `Stop the program that uses one of them, or run: ${deviceLogin}`;
    case "LOGIN_CREDENTIAL_FORBIDDEN":
      return error.source._tag === "Environment" ? keep : append(login);
    case "LOGIN_DEVICE_CODE_EXPIRED":
      return `For a new code, run: ${deviceLogin}`;
    case "LOGIN_DEVICE_CODE_NOT_ENABLED":
      return `To sign in with a browser, run: ${login}`;
    case "LOGIN_EXTERNAL_PROVIDER_FAILED":
    case "LOGIN_PERSONAL_ACCESS_TOKEN_REJECTED":
      return keep;
    case "LOGIN_GATEWAY_SIGN_IN_REQUIRED":
      return replaceWith(`agent-auth login --provider ${error.providerId}`);
    case "LOGIN_REFRESH_FAILED":
    case "LOGIN_STORE_UNAVAILABLE":
      return append(doctor);
    case "LOGIN_REFRESH_INTERRUPTED":
      return append(login);
    case "LOGIN_SIGN_IN_TIMED_OUT":
      return `Run: ${login} (without a browser: ${deviceLogin})`;
    case "LOGIN_WORKSPACE_NOT_ALLOWED":
      return append(login);
    case "PROVIDER_BASE_URL_INVALID":
      return error.reason === "insecureHttp" ? `Use https in ${error.setting}.` : keep;
    default:
      return stepForRemedy[error.remedy];
  }
};

/**
 * The next step after an error, with the agent-auth command that does it. The lower packages say what to do without
 * knowing this command line; the tables above add the command. A `CliError` already names its command.
 *
 * @param options.inDoctor leaves out `agent-auth doctor`, for `doctor` itself
 */
export const nextStep = (
  error: Reportable,
  { inDoctor = false }: { readonly inDoctor?: boolean } = {},
): string | undefined => {
  const { hint } = error;
  const step = error.nextStep ?? (isPackageError(error) ? stepForError(error) : keep);
  if (typeof step === "string") return step;
  if (step._tag === "Keep" || (inDoctor && step.command === doctor)) return hint;
  const run = `Run: ${step.command}`;
  return step._tag === "Replace" || hint === undefined ? run : `${hint} ${run}`;
};

/** By its code, since the classes themselves would take time to load. */
const isPackageError = (error: Reportable): error is ModelProviderError & Reportable =>
  /^(?:AGENT_IDENTITY|LOGIN|PROVIDER)_/u.test(error.code);
