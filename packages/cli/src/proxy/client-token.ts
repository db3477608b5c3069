import { randomBytes } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readFileSync, writeSync } from "node:fs";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { hasSha256, sha256 } from "@agent-auth/agent-identity/keys/same-secret";
import { CliError } from "../errors/cli-error.ts";
import { rootCreationProblem } from "./root-creation-problem.ts";
import type { Rejection } from "./request-guard.ts";

/** A shorter token could be guessed by another local user. */
const MIN_CHARACTERS = 16;
const MAX_BYTES = 4096;

/**
 * Reads the token that clients have to send, or creates the file with a random one (43 base64url characters, mode 0600)
 * if it does not exist. Throws `CliError` if the file is a link, belongs to another user, can be read or written by
 * others, or does not hold one line of 16 to 4096 visible ASCII characters.
 */
export const loadClientToken = (path: string): string => {
  try {
    const problem = rootCreationProblem(path);
    if (problem !== undefined) throw unusable(path, problem);
    return createToken(path) ?? readToken(path);
  } catch (error) {
    if (error instanceof CliError) throw error;
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    throw unusable(path, code === "ELOOP" ? "it is a symbolic link" : code);
  }
};

const createToken = (path: string): string | undefined => {
  let file: number;
  try {
    file = openSync(path, "wx", 0o600);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return undefined;
    throw error;
  }
  try {
    const token = randomBytes(32).toString("base64url");
    writeSync(file, `${token}\n`);
    return token;
  } finally {
    closeSync(file);
  }
};

const readToken = (path: string): string => {
  const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
  const file = openSync(path, flags);
  try {
    const stats = fstatSync(file);
    if (!stats.isFile()) throw unusable(path, "it is not a regular file");
    if (stats.size > MAX_BYTES) throw unusable(path, "it is larger than 4 KiB");
    if (process.getuid !== undefined) {
      if (stats.uid !== process.getuid()) throw unusable(path, "it belongs to another user");
      if ((stats.mode & 0o077) !== 0)
        throw unusable(path, "other users can access it", `Run: chmod 600 ${path}`);
    }
    const token = readFileSync(file, "utf8").trim();
    if (token.length < MIN_CHARACTERS || !/^[\x21-\x7e]+$/u.test(token))
      throw unusable(path, `it must hold one line of at least ${MIN_CHARACTERS} ASCII characters`);
    return token;
  } finally {
    closeSync(file);
  }
};

const unusable = (path: string, reason: string, hint?: string) =>
  new CliError({
    code: "CLI_PROXY_TOKEN_FILE",
    message: `cannot use the token file ${path}: ${reason}`,
    hint:
      hint ?? "Name a file that you own, or one that does not exist: it is created with a token.",
  });

/** Headers in which clients of model APIs send their key. */
const keyHeaders = ["x-api-key", "api-key"] as const;

/** Rejects requests that do not carry the token, compared in constant time. */
export const makeTokenGuard = (token: string): ((request: IncomingMessage) => Rejection | null) => {
  const expected = sha256(token);
  const isToken = (given: string | undefined): boolean =>
    given !== undefined && hasSha256(given, expected);
  return ({ headers }) => {
    const bearer = /^bearer +(\S+) *$/iu.exec(headers.authorization ?? "")?.[1];
    const isGiven = [bearer, ...keyHeaders.map((name) => single(headers, name))].map(isToken);
    return isGiven.includes(true) ? null : tokenRequired;
  };
};

/** Request headers that may hold the client token, which the provider must not get. */
export const tokenHeaders: ReadonlySet<string> = new Set(["authorization", ...keyHeaders]);

const single = (headers: IncomingHttpHeaders, name: string): string | undefined => {
  const value = headers[name];
  return typeof value === "string" ? value : undefined;
};

const tokenRequired: Rejection = {
  status: 401,
  code: "CLI_PROXY_TOKEN_REQUIRED",
  message: "this proxy requires its client token as the API key",
  hint: "Send the content of the proxy's token file as `Authorization: Bearer <token>`.",
};
