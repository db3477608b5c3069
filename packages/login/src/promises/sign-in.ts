import type { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Effect from "effect/Effect";
import type { ChatgptTokens } from "../manager/index.ts";
import { loadEnvironment, type LoginEnvironment, type Variables } from "../config/environment.ts";
import { layer as httpClient, type HttpClientOptions } from "../http/index.ts";
import { compact } from "../internal/compact.ts";
import type { AuthorizePrompt, BrowserSignInOptions } from "../oauth/browser.ts";
import type { DeviceCodePrompt, DeviceSignInOptions } from "../oauth/device.ts";

/** What both ways take besides their own options. */
interface Surroundings {
  /** Default: `variables`, parsed. Says how the network is reached, and who asks. */
  readonly environment?: LoginEnvironment;
  /** Default: `process.env`. */
  readonly variables?: Variables;
  /** Ends the sign-in; the callback port is free before the rejection with the signal's reason. */
  readonly signal?: AbortSignal;
}

type Callbacks = "onAuthorizeUrl" | "openBrowser" | "onBrowserFailed" | "save";

/** As `BrowserSignInOptions`, with plain functions. */
export interface PromiseBrowserSignInOptions
  extends Omit<BrowserSignInOptions, Callbacks>, Surroundings {
  readonly onAuthorizeUrl: (prompt: AuthorizePrompt) => void;
  /** Opens the URL. A throw or rejection only means that the person has to open it. */
  readonly openBrowser?: (url: string) => unknown;
  readonly onBrowserFailed?: () => void;
  /** Usually a manager's `loginWithChatgptTokens`. A rejection is the sign-in's rejection. */
  readonly save?: (tokens: ChatgptTokens) => Promise<unknown>;
}

/** As `DeviceSignInOptions`, with plain functions. */
export interface PromiseDeviceSignInOptions
  extends Omit<DeviceSignInOptions, "onCode">, Surroundings {
  readonly onCode: (prompt: DeviceCodePrompt) => void;
}

/**
 * `sign-in-browser` for programs that do not use Effect: the same tokens, rejections with the very same error classes.
 */
export const signInWithBrowser = async (
  options: PromiseBrowserSignInOptions,
): Promise<ChatgptTokens> => {
  const way = await import("../oauth/browser.ts");
  const { onAuthorizeUrl, openBrowser, onBrowserFailed, save, ...rest } = options;
  const environment = environmentOf(options);
  const originator = environment.originator ?? options.originator;
  return run(
    { ...options, environment },
    way.signInWithBrowser<unknown>({
      ...rest,
      ...compact({ originator }),
      onAuthorizeUrl: (prompt) => Effect.sync(() => onAuthorizeUrl(prompt)),
      ...(openBrowser && { openBrowser: (url) => call(() => openBrowser(url)) }),
      ...(onBrowserFailed && { onBrowserFailed: () => Effect.sync(onBrowserFailed) }),
      ...(save && { save: (tokens) => call(() => save(tokens)) }),
    }),
  );
};

/** `sign-in-device` for programs that do not use Effect. Nothing is saved. */
export const signInWithDeviceCode = async (
  options: PromiseDeviceSignInOptions,
): Promise<ChatgptTokens> => {
  const way = await import("../oauth/device.ts");
  const { onCode, ...rest } = options;
  return run(
    options,
    way.signInWithDeviceCode({ ...rest, onCode: (prompt) => Effect.sync(() => onCode(prompt)) }),
  );
};

/** What a function throws or rejects with is the failure, untouched. */
const call = (act: () => unknown): Effect.Effect<void, unknown> =>
  Effect.asVoid(Effect.tryPromise({ try: async () => act(), catch: (cause) => cause }));

const environmentOf = ({ environment, variables = process.env }: Surroundings): LoginEnvironment =>
  environment ?? loadEnvironment(variables);

const run = (
  {
    allowInsecureHttp,
    originator,
    signal,
    ...surroundings
  }: Surroundings & Pick<HttpClientOptions, "allowInsecureHttp" | "originator">,
  way: Effect.Effect<ChatgptTokens, unknown, HttpTransport>,
): Promise<ChatgptTokens> => {
  const client = httpClient(
    environmentOf(surroundings),
    compact({ allowInsecureHttp, originator }),
  );
  return Effect.runPromise(Effect.provide(way, client), signal && { signal }).catch(
    (error: unknown) => {
      signal?.throwIfAborted();
      throw error;
    },
  );
};
