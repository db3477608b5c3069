import * as Effect from "effect/Effect";
import type { Command, FlagValues, GlobalValues } from "../../argv/command-spec.ts";
import { UsageError } from "../../argv/usage-error.ts";
import { explainCredentialError } from "../../errors/credential-error.ts";
import { isUnsafeMethod } from "../../http/destination.ts";
import { reportError } from "../../errors/report.ts";
import type { BodySource } from "./body.ts";
import { sendAndPrint } from "./send.ts";
import { spec } from "./spec.ts";

export interface ApiOptions {
  readonly path: string;
  /** Upper case. */
  readonly method: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: BodySource;
  /** Print the status line and headers first. */
  readonly include: boolean;
  readonly globals: GlobalValues;
}

export const command: Command<typeof spec.flags, ApiOptions> = {
  spec,
  options: ({ flags, args, globals }) => {
    const body = bodySource(flags);
    const headers = flags.header.map(parseHeader);
    return {
      path: args[0] ?? "",
      method: parseMethod(flags.method, body),
      headers: withContentType(headers, body),
      body,
      include: flags.include,
      globals,
    };
  },
};

/** Sends one request and streams the answer to stdout; the exit code tells its status. */
export const run = (options: ApiOptions) =>
  sendAndPrint(options).pipe(
    Effect.mapError(explainCredentialError),
    Effect.catch((error) => Effect.sync(() => reportError("Error sending request", error))),
  );

const bodySource = (flags: FlagValues<typeof spec.flags>): BodySource => {
  if (flags.data !== undefined && flags.input !== undefined) {
    throw new UsageError("--data and --input cannot both be the body", spec.path);
  }
  if (flags.data !== undefined) return { _tag: "Text", text: flags.data };
  if (flags.input === undefined) return { _tag: "None" };
  return flags.input === "-" ? { _tag: "Stdin" } : { _tag: "File", path: flags.input };
};

const parseMethod = (given: string | undefined, body: BodySource): string => {
  if (given === undefined) return body._tag === "None" ? "GET" : "POST";
  if (!/^[A-Za-z]+$/u.test(given)) throw new UsageError("--method is no HTTP method", spec.path);
  const method = given.toUpperCase();
  if (isUnsafeMethod(method)) {
    throw new UsageError(`${method} would give the credential away`, spec.path);
  }
  return method;
};

const headerLine = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\u0020-\u007e]*)$/u;

/** A header as curl takes it. The value is not repeated in the complaint: it might be a secret. */
const parseHeader = (line: string): readonly [string, string] => {
  const [, name, value] = headerLine.exec(line) ?? [];
  if (name === undefined || value === undefined) {
    throw new UsageError("--header takes 'Name: value', in ASCII", spec.path);
  }
  return [name, value.trim()];
};

const withContentType = (headers: ApiOptions["headers"], body: BodySource) =>
  body._tag === "None" || headers.some(([name]) => name.toLowerCase() === "content-type")
    ? headers
    : [...headers, ["content-type", "application/json"] as const];
