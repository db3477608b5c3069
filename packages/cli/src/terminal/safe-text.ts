/**
 * Text from outside (a server, a file, a token) that is safe to print on one line of a terminal: line breaks become
 * spaces; control characters, escape sequences and characters that change the text direction become `\ufffd`.
 */
export const printable = (text: string): string =>
  text
    .replaceAll(/\r\n|[\r\n\t]/gu, " ")
    .replaceAll(unsafe, "\u{fffd}")
    .trim();

// oxlint-disable-next-line no-control-regex -- \p{Cc} would load Unicode tables
const unsafe = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * A secret as it may be shown: `***` up to 13 characters, else the first 8, `***` and the last 5. Counts Unicode code
 * points, so that none is split.
 */
export const mask = (secret: string): string => {
  const characters = Array.from(secret);
  if (characters.length <= 13) return "***";
  return `${characters.slice(0, 8).join("")}***${characters.slice(-5).join("")}`;
};
