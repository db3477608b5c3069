import { setImmediate as nextTurn } from "node:timers/promises";
import type { TestAuthority } from "@agent-auth/test-authority";
import { onTestFinished, vi } from "vitest";
import {
  type AccountServicePromises,
  openAccountService,
  type OpenAccountServiceOptions,
} from "../../src/promises/index.ts";
import type { AccountEvent } from "../../src/service/index.ts";
import { openHome } from "./home.ts";

export interface OpenedService {
  readonly service: AccountServicePromises;
  readonly home: string;
  readonly events: Array<AccountEvent>;
  readonly warnings: Array<string>;
}

/** An account service of the test's own, closed at its end. */
export const openService = async (
  setup: OpenAccountServiceOptions & {
    readonly home?: string;
    readonly authority?: TestAuthority;
    readonly variables?: Readonly<Record<string, string>>;
  } = {},
): Promise<OpenedService> => {
  const { authority, home = await openHome(), variables, ...options } = setup;
  const warnings: Array<string> = [];
  const service = await openAccountService({
    onWarning: (line) => void warnings.push(line),
    ...options,
    variables: {
      CODEX_HOME: home,
      ...(authority === undefined
        ? {}
        : { CODEX_REFRESH_TOKEN_URL_OVERRIDE: `${authority.url}/oauth/token` }),
      ...variables,
    },
    configOverrides: [
      ...(authority === undefined ? [] : [`chatgpt_base_url=${authority.chatgptBaseUrl}`]),
      ...(options.configOverrides ?? []),
    ],
    login: {
      ...(authority === undefined ? {} : { issuer: authority.issuer }),
      ports: [0],
      ...options.login,
    },
  });
  onTestFinished(() => service.close());
  const events: Array<AccountEvent> = [];
  service.listen((event) => void events.push(event));
  return { service, home, events, warnings };
};

/** Waits until this many events have come, and for a turn in which further ones would come. */
export const eventually = async (events: ReadonlyArray<unknown>, count: number): Promise<void> => {
  await vi.waitFor(() => {
    if (events.length < count) throw new Error(`${events.length} of ${count} events`);
  }, 10_000);
  await nextTurn();
};
