import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { isSameSecret } from "@agent-auth/agent-identity/keys/same-secret";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import { SignInCancelled, SignInLinkReused } from "../../errors/oauth.ts";
import { peerUserId } from "../../http/peer-user.ts";
import * as contents from "../pages/contents.ts";
import {
  renderPage,
  sendNoContent,
  sendPage,
  sendRedirect,
  type PageContent,
} from "../pages/render.ts";

export interface CallbackHandlerOptions {
  /** The `state` of this sign-in. Callbacks with another one are rejected. */
  readonly state: string;
  /** The secret in the link that is passed to a browser. */
  readonly linkSecret: string;
  /** The name of the program, shown on the pages. */
  readonly applicationName: string;
  /** Called for each callback that was rejected because of its `state`. */
  readonly onRejectedCallback: () => void;
  /** Where the browser is sent after a sign-in. Default: `/success` of this server. */
  readonly successUrl?: string;
  /** Returns the user at the other end of a connection, if the system can identify it. Default: `peerUserId`. */
  readonly userIdOf?: typeof peerUserId;
}

/** Milliseconds to finish responses that are under way when the server closes. */
const closeGraceMs = 250;

/**
 * Handles the requests to the callback server of one sign-in. It answers only `GET`, and only if `Host` names its own
 * loopback address, so that no web page can reach it under another name (DNS rebinding). The first callback with the right
 * `state` decides; repetitions of it wait for the same outcome and get the same response. All other callbacks are
 * rejected without effect.
 */
export class CallbackHandler {
  readonly #options: CallbackHandlerOptions;
  readonly #callback = Deferred.makeUnsafe<URLSearchParams>();
  readonly #cancelled = Deferred.makeUnsafe<never, SignInCancelled | SignInLinkReused>();
  readonly #successShown = Deferred.makeUnsafe<void>();
  readonly #outcome = Promise.withResolvers<PageContent>();
  readonly #pendingResponses = new Set<ServerResponse>();
  #phase: "open" | "cancelled" | "committed" | "succeeded" | "failed" = "open";
  #linkTarget: string | undefined;
  #isLinkUsed = false;

  constructor(options: CallbackHandlerOptions) {
    this.#options = options;
  }

  /** The parameters of the first callback with the right state. */
  get callback(): Effect.Effect<URLSearchParams> {
    return Deferred.await(this.#callback);
  }

  /** Fails when `/cancel` is requested before `commit`, or when the link was used twice. */
  get cancelled(): Effect.Effect<never, SignInCancelled | SignInLinkReused> {
    return Deferred.await(this.#cancelled);
  }

  /** Done when the page at `/success` was sent, or if the last page is another one. */
  get successShown(): Effect.Effect<void> {
    return Deferred.await(this.#successShown);
  }

  /** Makes `/cancel` too late. Fails if the sign-in was cancelled before. */
  get commit(): Effect.Effect<void, SignInCancelled> {
    return Effect.suspend(() => {
      if (this.#phase === "cancelled") return new SignInCancelled();
      this.#phase = "committed";
      return Effect.void;
    });
  }

  /** Redirects the callback to the last page. Done when that response was sent. */
  get succeed(): Effect.Effect<void> {
    return Effect.promise(async () => {
      await this.#settle("succeeded", contents.signedIn);
      if (this.#options.successUrl !== undefined)
        Deferred.doneUnsafe(this.#successShown, Effect.void);
    });
  }

  /** Answers the callback with a page. Done when that response was sent. Has no effect after an earlier outcome. */
  fail(page: PageContent): Effect.Effect<void> {
    return Effect.promise(() => this.#settle("failed", page));
  }

  /** Returns the path of a link that redirects to `url`, for the user of this process only. */
  linkTo(url: string): string {
    this.#linkTarget = url;
    return `${linkPath}${this.#options.linkSecret}`;
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    this.#pendingResponses.add(response);
    response.once("close", () => this.#pendingResponses.delete(response));
    response.once("error", () => response.destroy());
    request.resume();
    if (!isOwnHost(request)) return this.#send(response, contents.wrongHost);
    if (request.method !== "GET") return this.#send(response, contents.wrongMethod);
    const url = request.url?.startsWith("/") ? URL.parse(`http://127.0.0.1${request.url}`) : null;
    if (url?.pathname.startsWith(linkPath)) return this.#handleLink(url, request, response);
    switch (url?.pathname) {
      case "/auth/callback":
        return this.#handleCallback(url.searchParams, response);
      case "/success":
        return this.#handleSuccess(response);
      case "/cancel":
        return this.#handleCancel(request, response);
      case "/favicon.ico":
        return sendNoContent(response);
      default:
        return this.#send(response, contents.notFound);
    }
  }

  /** Finishes the responses under way, then closes the server and every connection. */
  async close(server: Server): Promise<void> {
    const closed = new Promise((resolve) => server.close(resolve));
    await this.#settle("failed", contents.cancelled);
    server.closeAllConnections();
    await closed;
  }

  /**
   * Other users of this machine can read the link in the browser's arguments, and its target contains `state`. So it is
   * for the user of this process (and root) only. If the system cannot identify the connected user, it works once: if it is
   * opened a second time, one of the two was someone else, and the sign-in ends.
   */
  #handleLink(url: URL, request: IncomingMessage, response: ServerResponse): void {
    const target = this.#linkTarget;
    const secret = url.pathname.slice(linkPath.length);
    if (target === undefined || !isSameSecret(secret, this.#options.linkSecret)) {
      return this.#send(response, contents.notFound);
    }
    const userId = (this.#options.userIdOf ?? peerUserId)(request.socket);
    // Including `null`: the browser has closed the connection, and must not use up the link.
    if (userId !== undefined && userId !== 0 && userId !== process.getuid?.()) {
      return this.#send(response, contents.otherUser);
    }
    if (userId === undefined && this.#isLinkUsed) {
      this.#send(response, contents.linkReused);
      return this.#cancel(new SignInLinkReused());
    }
    this.#isLinkUsed = true;
    sendRedirect(response, target);
  }

  #handleCallback(parameters: URLSearchParams, response: ServerResponse): void {
    const states = parameters.getAll("state");
    if (states.length !== 1 || !isSameSecret(states[0] ?? "", this.#options.state)) {
      this.#options.onRejectedCallback();
      return this.#send(response, contents.stateMismatch);
    }
    Deferred.doneUnsafe(this.#callback, Effect.succeed(parameters));
    void this.#outcome.promise.then((page) =>
      page === contents.signedIn
        ? sendRedirect(response, this.#options.successUrl ?? "/success")
        : this.#send(response, page),
    );
  }

  #handleSuccess(response: ServerResponse): void {
    if (this.#phase !== "succeeded") return this.#send(response, contents.notFound);
    response.once("close", () => Deferred.doneUnsafe(this.#successShown, Effect.void));
    this.#send(response, contents.signedIn);
  }

  #handleCancel(request: IncomingMessage, response: ServerResponse): void {
    if (isFromOtherSite(request)) return this.#send(response, contents.wrongHost);
    if (this.#phase !== "open" && this.#phase !== "cancelled") {
      return this.#send(response, contents.alreadyFinished);
    }
    this.#send(response, contents.cancelled);
    this.#cancel(new SignInCancelled());
  }

  #cancel(error: SignInCancelled | SignInLinkReused): void {
    if (this.#phase !== "open") return;
    this.#phase = "cancelled";
    Deferred.doneUnsafe(this.#cancelled, Effect.fail(error));
  }

  async #settle(phase: "succeeded" | "failed", page: PageContent): Promise<void> {
    if (this.#phase === "open" || this.#phase === "committed") this.#phase = phase;
    this.#outcome.resolve(page);
    await this.#outcome.promise;
    const sent = [...this.#pendingResponses].map(
      (response) => new Promise((resolve) => response.once("close", resolve)),
    );
    const grace = Promise.withResolvers<void>();
    const timer = setTimeout(grace.resolve, closeGraceMs);
    await Promise.race([Promise.all(sent), grace.promise]);
    clearTimeout(timer);
  }

  #send(response: ServerResponse, content: PageContent): void {
    sendPage(response, renderPage(content, this.#options.applicationName));
  }
}

const linkPath = "/open/";

/** Whether the request was sent to the address on which this server listens, and not to a name that resolves to it. */
const isOwnHost = ({ headers, socket }: IncomingMessage): boolean => {
  const host = headers.host?.toLowerCase();
  return host === `127.0.0.1:${socket.localPort}` || host === `localhost:${socket.localPort}`;
};

/** Whether a page of another site caused the request. Programs and address bars send neither header. */
const isFromOtherSite = ({ headers }: IncomingMessage): boolean => {
  const site = headers["sec-fetch-site"];
  return (
    headers.origin !== undefined ||
    (site !== undefined && site !== "none" && site !== "same-origin")
  );
};
