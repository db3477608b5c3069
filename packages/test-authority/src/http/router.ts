import type { IncomingMessage } from "node:http";
import type { HttpResponse } from "./response.ts";
import type { Endpoint } from "../steering/endpoint-names.ts";
import type { RecordedRequest } from "../steering/request-log.ts";
import type { AuthorityState } from "../state.ts";

/** What an endpoint gets to handle a request. */
export interface RequestContext {
  readonly state: AuthorityState;
  readonly request: RecordedRequest;
  /** Named groups of the route's pattern, percent-decoded. */
  readonly params: Readonly<Record<string, string>>;
  /** Only a route that streams its body reads this. */
  readonly incoming: IncomingMessage;
}

/** Returns the response, or throws an `HttpError`. */
export type Handler = (exchange: RequestContext) => HttpResponse | Promise<HttpResponse>;

/** An endpoint: its path and its handler. */
export interface Route {
  readonly endpoint: Endpoint;
  readonly method: "GET" | "POST";
  readonly pattern: RegExp;
  readonly handle: Handler;
  /** The handler reads the body itself as a stream; the body is not recorded. */
  readonly streamsBody?: boolean;
  /** A more specific name that depends on the body (the token endpoint's grants). */
  readonly refine?: (body: string) => Endpoint;
}

/** A route that was found, and the named groups of its pattern. */
export interface Match {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

/** Base paths that clients derive URLs from, the bare origin included. */
export const anyBase = "(?:/backend-api(?:/codex)?|/api/accounts|/api/codex)?";
/** Base paths of endpoints that only the ChatGPT backend has, in both URL styles. */
export const backendBase = "(?:/backend-api/wham|/api/codex)";
/** Base paths of model requests. */
export const modelBase = "(?:/backend-api/codex|/api/codex|/v1)";

/** A pattern that matches the whole path. */
export const path = (source: string): RegExp => new RegExp(`^${source}$`);

const decode = (part: string): string | undefined => {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
};

/** The first route for this method and path, or the methods that the path accepts. */
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
