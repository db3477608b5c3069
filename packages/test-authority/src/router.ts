import type { IncomingMessage } from "node:http";
import type { HttpResponse } from "./response.ts";
import type { Endpoint } from "./endpoint-names.ts";
import type { RecordedRequest } from "./request-log.ts";
import type { AuthorityState } from "./state.ts";

/** One request on its way through an endpoint. */
export interface RequestContext {
  readonly state: AuthorityState;
  readonly request: RecordedRequest;
  /** Named groups of the route's pattern, percent-decoded. */
  readonly params: Readonly<Record<string, string>>;
  /** Only a route that streams its body reads this. */
  readonly incoming: IncomingMessage;
}

/** Answers, or throws a `HttpError`. */
export type Handler = (exchange: RequestContext) => HttpResponse | Promise<HttpResponse>;

/** What answers at a path. */
export interface Route {
  readonly endpoint: Endpoint;
  readonly method: "GET" | "POST";
  readonly pattern: RegExp;
  readonly handle: Handler;
  /** The handler reads the body itself, piece by piece; nothing of it is recorded. */
  readonly streamsBody?: boolean;
  /** A finer endpoint name, where the body decides (the token endpoint's grants). */
  readonly refine?: (body: string) => Endpoint;
}

/** A route that was found, and the named groups of its pattern. */
export interface Match {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

/** The bases that clients derive URLs from, as a group of a pattern; the bare origin among them. */
export const anyBase = "(?:/backend-api(?:/codex)?|/api/accounts|/api/codex)?";
/** The bases of what only the ChatGPT backend has, in both URL styles. */
export const backendBase = "(?:/backend-api/wham|/api/codex)";
/** The bases that model requests arrive under. */
export const modelBase = "(?:/backend-api/codex|/api/codex|/v1)";

/** A route's pattern: the whole path, with the groups of the source. */
export const path = (source: string): RegExp => new RegExp(`^${source}$`);

const decode = (part: string): string | undefined => {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
};

/** The first route for this path, or the methods that the path would answer to. */
export const findRoute = (
  routes: ReadonlyArray<Route>,
  method: string,
  pathname: string,
): Match | { readonly allowed: ReadonlyArray<string> } => {
  const allowed: Array<string> = [];
  for (const route of routes) {
    const found = route.pattern.exec(pathname);
    if (found === null) continue;
    if (route.method !== method) {
      allowed.push(route.method);
      continue;
    }
    const params: Record<string, string> = {};
    for (const [name, value] of Object.entries(found.groups ?? {}))
      params[name] = decode(value) ?? value;
    return { route, params };
  }
  return { allowed };
};
