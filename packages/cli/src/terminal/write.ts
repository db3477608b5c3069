import { fstatSync, writeSync } from "node:fs";
import { CliError } from "../errors/cli-error.ts";

/** Thrown if the reader of stdout has closed it (`agent-auth api … | head -1`). Not a failure. */
export class StdoutClosed extends Error {
  override readonly name = "ReaderGone";
}

const isErrno = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && "code" in error;

/**
 * Writes at once, without opening Node's streams (they cost a millisecond at start). A full non-blocking pipe
 * (EAGAIN) is waited for.
 */
const writeWhole = (fd: 1 | 2, text: string | Uint8Array) => {
  let rest = typeof text === "string" ? Buffer.from(text) : text;
  while (rest.byteLength > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (error) {
      if (!isErrno(error) || error.code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
};

/** A closed pipe or terminal. The latter gives EIO, as a broken disk does. */
const isGone = (error: unknown) =>
  isErrno(error) && (error.code === "EPIPE" || (error.code === "EIO" && !isFile(1)));

const isFile = (fd: number): boolean => {
  try {
    return fstatSync(fd).isFile();
  } catch {
    return false;
  }
};

/** The error for a failed write to stdout: not a failure if its reader has closed it. */
export const toOutputError = (error: unknown): StdoutClosed | CliError =>
  isGone(error)
    ? new StdoutClosed("stdout was closed by its reader")
    : new CliError({
        code: "CLI_OUTPUT_FAILED",
        message: `Cannot write to stdout (${isErrno(error) ? error.code : "unknown"}).`,
        hint: "The output is incomplete. Free some space, or write it elsewhere.",
      });

/**
 * An answer, to stdout.
 *
 * @throws StdoutClosed if its reader has closed it, else CliError if it cannot be written
 */
export const writeAnswer = (text: string | Uint8Array): void => {
  try {
    writeWhole(1, text);
  } catch (error) {
    throw toOutputError(error);
  }
};

/** Text for a person, to stderr. It is dropped if it cannot be written. */
export const writeError = (text: string): void => {
  try {
    writeWhole(2, text);
  } catch {}
};

/** A line for a person, to stderr. It is dropped if it cannot be written. */
export const writeLine = (line: string): void => writeError(`${line}\n`);

/** A value for a program, to stdout: JSON with two spaces of indentation and a newline at its end. */
export const writeJson = (value: unknown): void => writeAnswer(`${jsonText(value)}\n`);

/** As `JSON.stringify` with two spaces, but safe on a terminal. */
export const jsonText = (value: unknown): string => escapeUnsafe(JSON.stringify(value, null, 2));

/**
 * JSON allows DEL, C1 controls and characters that change the text direction in strings; a terminal obeys them. They
 * become `\uXXXX` escapes, which mean the same.
 */
export const escapeUnsafe = (json: string): string =>
  json.replaceAll(
    /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

/** Prints what a command has to say besides its answer, to stderr. `--quiet` silences it; errors do not go through it. */
export type Notify = (line: string) => void;

export const makeNotify = (globals: { readonly quiet: boolean }): Notify =>
  globals.quiet ? () => {} : writeLine;
