import type { IncomingMessage, Server, ServerResponse } from "node:http";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import { SignInCancelled } from "../../errors/oauth.ts";
import * as contents from "../pages/contents.ts";
import { sendNothing, sendPage, sendRedirect } from "../pages/response.ts";
import { renderPage, type PageContent } from "../pages/render.ts";
import { sameSecret } from "../secrets.ts";

export interface CallbackHandlerOptions {
  /** The only `state` that is listened to. */
  readonly state: string;
  /** In whose name the pages speak. */
  readonly applicationName: string;
  /** Told of each callback that was refused for its state. */
  readonly onRefused: () => void;
}

/** Milliseconds that answers under way get when the server goes away. */
const FAREWELL_MS = 250;

/**
 * What stands behind the callback server: one sign-in, its state and its outcome. It answers `GET` only, and only to a
 * `Host` that names its own loopback address, so no page elsewhere can talk to it under a name of its own (DNS
 * rebinding). Only the first callback with the right `state` counts; repetitions of it wait for the same outcome and
 * see the same answer, and all others are refused without effect.
 */
export class CallbackHandler {
  readonly #options: CallbackHandlerOptions;
  readonly #parameters = Deferred.makeUnsafe<URLSearchParams>();
  readonly #cancelled = Deferred.makeUnsafe<never, SignInCancelled>();
  readonly #successShown = Deferred.makeUnsafe<void>();
  readonly #outcome = Promise.withResolvers<PageContent>();
  readonly #underWay = new Set<ServerResponse>();
  #phase: "open" | "cancelled" | "committed" | "succeeded" | "failed" = "open";

  constructor(options: CallbackHandlerOptions) {
    this.#options = options;
  }

  /** The parameters of the first callback with the right state. */
  get parameters(): Effect.Effect<URLSearchParams> {
    return Deferred.await(this.#parameters);
  }

  /** Fails when somebody asks for `/cancel` before `commit`. */
  get cancelled(): Effect.Effect<never, SignInCancelled> {
    return Deferred.await(this.#cancelled);
  }

  /** Done when the browser has been sent the page at `/success`. */
  get successShown(): Effect.Effect<void> {
    return Deferred.await(this.#successShown);
  }

  /** From here on `/cancel` comes too late. Fails where it came already. */
  get commit(): Effect.Effect<void, SignInCancelled> {
    return Effect.suspend(() => {
      if (this.#phase === "cancelled") return new SignInCancelled();
      this.#phase = "committed";
      return Effect.void;
    });
  }

  /** Sends the callback on to `/success`. Done when that answer has left. */
  get succeed(): Effect.Effect<void> {
    return Effect.promise(() => this.#settle("succeeded", contents.signedIn));
  }

  /** Answers the callback with a page. Done when that answer has left. Changes nothing after an earlier outcome. */
  fail(page: PageContent): Effect.Effect<void> {
    return Effect.promise(() => this.#settle("failed", page));
  }

  receive(request: IncomingMessage, response: ServerResponse): void {
    this.#underWay.add(response);
    response.once("close", () => this.#underWay.delete(response));
    response.once("error", () => response.destroy());
    request.resume();
    if (!isOwnHost(request)) return this.#send(response, contents.wrongHost);
    if (request.method !== "GET") return this.#send(response, contents.wrongMethod);
    const url = request.url?.startsWith("/") ? URL.parse(`http://127.0.0.1${request.url}`) : null;
    switch (url?.pathname) {
      case "/auth/callback":
        return this.#callback(url.searchParams, response);
      case "/success":
        return this.#success(response);
      case "/cancel":
        return this.#cancel(request, response);
      case "/favicon.ico":
        return sendNothing(response);
      default:
        return this.#send(response, contents.nothingHere);
    }
  }

  /** Finishes the answers under way, then closes the server and every connection. */
  async close(server: Server): Promise<void> {
    const closed = new Promise((resolve) => server.close(resolve));
    await this.#settle("failed", contents.cancelled);
    server.closeAllConnections();
    await closed;
  }

  #callback(parameters: URLSearchParams, response: ServerResponse): void {
    const states = parameters.getAll("state");
    if (states.length !== 1 || !sameSecret(states[0] ?? "", this.#options.state)) {
      this.#options.onRefused();
      return this.#send(response, contents.stateMismatch);
    }
    Deferred.doneUnsafe(this.#parameters, Effect.succeed(parameters));
    void this.#outcome.promise.then((page) =>
      page === contents.signedIn ? sendRedirect(response, "/success") : this.#send(response, page),
    );
  }

  #success(response: ServerResponse): void {
    if (this.#phase !== "succeeded") return this.#send(response, contents.nothingHere);
    response.once("close", () => Deferred.doneUnsafe(this.#successShown, Effect.void));
    this.#send(response, contents.signedIn);
  }

  #cancel(request: IncomingMessage, response: ServerResponse): void {
    if (isForeignPage(request)) return this.#send(response, contents.wrongHost);
    if (this.#phase !== "open" && this.#phase !== "cancelled") {
      return this.#send(response, contents.alreadyFinished);
    }
    this.#phase = "cancelled";
    this.#send(response, contents.cancelled);
    Deferred.doneUnsafe(this.#cancelled, Effect.fail(new SignInCancelled()));
  }

  async #settle(phase: "succeeded" | "failed", page: PageContent): Promise<void> {
    if (this.#phase === "open" || this.#phase === "committed") this.#phase = phase;
    this.#outcome.resolve(page);
    await this.#outcome.promise;
    const left = [...this.#underWay].map(
      (response) => new Promise((sent) => response.once("close", sent)),
    );
    const patience = Promise.withResolvers<void>();
    const timer = setTimeout(patience.resolve, FAREWELL_MS);
    await Promise.race([Promise.all(left), patience.promise]);
    clearTimeout(timer);
  }

  #send(response: ServerResponse, content: PageContent): void {
    sendPage(response, renderPage(content, this.#options.applicationName));
  }
}

/** Whether the request was made to the address where this server listens, and not to a name that leads to it. */
const isOwnHost = ({ headers, socket }: IncomingMessage): boolean => {
  const host = headers.host?.toLowerCase();
  return host === `127.0.0.1:${socket.localPort}` || host === `localhost:${socket.localPort}`;
};

/** Whether a page of another site caused the request. Programs and address bars send neither header. */
const isForeignPage = ({ headers }: IncomingMessage): boolean => {
  const site = headers["sec-fetch-site"];
  return (
    headers.origin !== undefined ||
    (site !== undefined && site !== "none" && site !== "same-origin")
  );
};
