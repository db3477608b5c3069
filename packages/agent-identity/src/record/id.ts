const printableAscii = /^[\x20-\x7e]+$/;
const maxIdLength = 1024;

/** What an id must be, in words, for complaints. */
export const idExpectation = "non-empty printable ASCII";

/**
 * Whether a text may be an account, user, runtime or task id. Ids go into headers, paths and signed messages, so:
 * printable ASCII, no space at either end, of sane length, and not `.` or `..`, which climb in a URL.
 */
export const isId = (text: string): boolean =>
  text.length <= maxIdLength &&
  printableAscii.test(text) &&
  !text.startsWith(" ") &&
  !text.endsWith(" ") &&
  text !== "." &&
  text !== "..";
