/**
 * Text from elsewhere (a server, a file), fit for one line of a terminal: control and direction-changing
 * characters, escape sequences among them, become visible.
 */
export const printable = (text: string): string =>
  text
    .replaceAll(/\r\n|[\r\n\t]/gu, " ")
    .replaceAll(obeyed, "\u{fffd}")
    .trim();

// oxlint-disable-next-line no-control-regex -- they are what is looked for; \p{Cc} would load Unicode tables
const obeyed = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
