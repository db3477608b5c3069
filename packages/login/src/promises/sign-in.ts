import type { HttpTransport } from "@agent-auth/agent-identity/http";
import {
  callerLayer,
  type CallerOptions,
} from "@agent-auth/agent-identity/promises/caller-context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { loadEnvironment, type LoginEnvironment, type Variables } from "../config/environment.ts";
import { layer as httpClient, type HttpClientOptions } from "../http/index.ts";
import { compact } from "../internal/compact.ts";
import type { AuthorizePrompt, BrowserSignInOptions } from "../oauth/browser.ts";
import type { ChatgptTokens } from "../oauth/code-exchange.ts";
import type { DeviceCodePrompt, DeviceSignInOptions } from "../oauth/device.ts";

/** The options of both sign-ins besides their own. */
interface CommonOptions extends CallerOptions {
  /** Decides how the network is reached, and the originator. Default: parsed from `variables`. */
  readonly environment?: LoginEnvironment;
  /** Default: `process.env`. */
  readonly variables?: Variables;
  /** Ends the sign-in. The callback port is free before the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

type Callbacks = "onAuthorizeUrl" | "openBrowser" | "onBrowserFailed" | "save";

/** `BrowserSignInOptions` with plain functions. */
export interface PromiseBrowserSignInOptions
  extends Omit<BrowserSignInOptions, Callbacks>, CommonOptions {
  readonly onAuthorizeUrl: (prompt: AuthorizePrompt) => void;
  /** Opens a browser with a link to the callback server. If it throws or rejects, the sign-in continues. */
  readonly openBrowser?: (link: string) => unknown;
  readonly onBrowserFailed?: () => void;
  /** Usually a manager's `loginWithChatgptTokens`. If it rejects, the sign-in rejects with the same reason. */
  readonly save?: (tokens: ChatgptTokens) => Promise<unknown>;
}

/** `DeviceSignInOptions` with plain functions. */
export interface PromiseDeviceSignInOptions
  extends Omit<DeviceSignInOptions, "onCode">, CommonOptions {
  readonly onCode: (prompt: DeviceCodePrompt) => void;
}

/**
 * Signs a person in through the browser and returns the tokens. The same as `signInWithBrowser` of
 * `@agent-auth/login/oauth/browser`, and rejects with the same error classes.
 *
 * @example
 * ```ts
 * import { signInWithBrowser } from "@agent-auth/login/promises";
 *
 * try {
 *   await signInWithBrowser({
 *     ports: [0],
 *     timeoutMs: 100, // the default of 15 minutes is meant for people
 *     onAuthorizeUrl: ({ url }) => void url, // show it
 *     // openBrowser: (link) => open(link), with the package `open`
 *   });
 * } catch (error) {
 *   console.log(String(error)); // no callback within 100 ms
 * }
 * ```
 */
export const signInWithBrowser = async (
  options: PromiseBrowserSignInOptions,
): Promise<ChatgptTokens> => {
  const browser = await import("../oauth/browser.ts");
  const { onAuthorizeUrl, openBrowser, onBrowserFailed, save, ...rest } = options;
  const environment = environmentOf(options);
  const originator = environment.originator ?? options.originator;
  return run(
    { ...options, environment },
    browser.signInWithBrowser<unknown>({
      ...rest,
      ...compact({ originator }),
      onAuthorizeUrl: (prompt) => Effect.sync(() => onAuthorizeUrl(prompt)),
      ...(openBrowser && { openBrowser: (link) => callPlain(() => openBrowser(link)) }),
      ...(onBrowserFailed && { onBrowserFailed: () => Effect.sync(onBrowserFailed) }),
      ...(save && { save: (tokens) => callPlain(() => save(tokens)) }),
    }),
  );
};

/**
 * Signs a person in with a code that is entered on another device, and returns the tokens. Saves nothing. The same as
 * `signInWithDeviceCode` of `@agent-auth/login/oauth/device`, and rejects with the same error classes.
 *
 * @example
 * ```ts
 * import { signInWithDeviceCode } from "@agent-auth/login/promises";
 *
 * try {
 *   await signInWithDeviceCode({
 *     issuer: "http://127.0.0.1:9", // leave out to sign in at https://auth.openai.com
 *     onCode: ({ userCode, verificationUrl }) =>
 *       console.log(`Open ${verificationUrl} and enter ${userCode}`),
 *   });
 * } catch (error) {
 *   console.log(String(error)); // nothing listens at this issuer
 * }
 * ```
 */
export const signInWithDeviceCode = async (
  options: PromiseDeviceSignInOptions,
): Promise<ChatgptTokens> => {
  const device = await import("../oauth/device.ts");
  const { onCode, ...rest } = options;
  return run(
    options,
    device.signInWithDeviceCode({ ...rest, onCode: (prompt) => Effect.sync(() => onCode(prompt)) }),
  );
};

/** Fails with what the function throws or rejects with. */
const callPlain = (call: () => unknown): Effect.Effect<void, unknown> =>
  Effect.asVoid(Effect.tryPromise({ try: async () => call(), catch: (cause) => cause }));

const environmentOf = ({ environment, variables = process.env }: CommonOptions): LoginEnvironment =>
  environment ?? loadEnvironment(variables);

const run = (
  {
    allowInsecureHttp,
    originator,
    signal,
    ...common
  }: CommonOptions & Pick<HttpClientOptions, "allowInsecureHttp" | "originator">,
  signIn: Effect.Effect<ChatgptTokens, unknown, HttpTransport>,
): Promise<ChatgptTokens> => {
  const client = httpClient(environmentOf(common), compact({ allowInsecureHttp, originator }));
  const context = Layer.provideMerge(client, callerLayer(common));
  return Effect.runPromise(Effect.provide(signIn, context), signal && { signal }).catch(
    (error: unknown) => {
      signal?.throwIfAborted();
      throw error;
    },
  );
};
