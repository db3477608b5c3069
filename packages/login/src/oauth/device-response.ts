import * as Redacted from "effect/Redacted";
import { z } from "zod";
import { parseJson } from "./server-error.ts";

const DEFAULT_INTERVAL_SECONDS = 5;
const SHORTEST_INTERVAL_SECONDS = 1;
const LONGEST_INTERVAL_SECONDS = 60;

const secret = z.string().min(1);
/** It is typed by a person and written to a terminal: letters, digits and signs, nothing that moves a cursor. */
const userCode = z.string().regex(/^[\x21-\x7e]{1,64}$/);
const seconds = z.union([z.number(), z.string().transform(Number)]).catch(0);
const UserCodeAnswer = z
  .object({
    device_auth_id: secret,
    user_code: userCode.optional(),
    usercode: userCode.optional(),
    interval: seconds.optional(),
  })
  .refine((answer) => (answer.user_code ?? answer.usercode) !== undefined, { path: ["user_code"] });

const GrantedAnswer = z.object({
  authorization_code: secret,
  code_verifier: z.string().min(1),
});

/** What could not be read, without any value. */
export interface Invalid {
  readonly invalid: string;
}

export interface UserCode {
  readonly deviceAuthId: Redacted.Redacted;
  readonly userCode: string;
  /** At least a second, at most a minute; five seconds where the authority names none. */
  readonly intervalMs: number;
}

/** The authorization code, with the PKCE verifier that the authority itself made for this flow. */
export interface GrantedCode {
  readonly authorizationCode: string;
  readonly codeVerifier: string;
}

export const parseUserCode = (body: string): UserCode | Invalid => {
  const read = UserCodeAnswer.safeParse(parseJson(body));
  if (!read.success) return toInvalid(read.error);
  const { device_auth_id, user_code, usercode, interval = 0 } = read.data;
  const usable = Number.isFinite(interval) && interval > 0;
  const intervalSeconds = usable
    ? Math.min(Math.max(interval, SHORTEST_INTERVAL_SECONDS), LONGEST_INTERVAL_SECONDS)
    : DEFAULT_INTERVAL_SECONDS;
  return {
    deviceAuthId: Redacted.make(device_auth_id, { label: "device_auth_id" }),
    userCode: user_code ?? usercode ?? "",
    intervalMs: intervalSeconds * 1000,
  };
};

export const parseGrantedCode = (body: string): GrantedCode | Invalid => {
  const read = GrantedAnswer.safeParse(parseJson(body));
  if (!read.success) return toInvalid(read.error);
  return {
    authorizationCode: read.data.authorization_code,
    codeVerifier: read.data.code_verifier,
  };
};

const toInvalid = (error: z.ZodError): Invalid => {
  const paths = error.issues.map((issue) => issue.path.join(".") || "the body");
  return { invalid: `${paths.join(", ")} missing or of the wrong type` };
};
