/**
 * Text from elsewhere (a server, a file), fit for one line of a terminal: control and direction-changing
 * characters, escape sequences among them, become visible.
 */
export const printable = (text: string): string =>
  text
    .replaceAll(/\r\n|[\r\n\t]/gu, " ")
    .replaceAll(/[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, "\u{fffd}")
    .trim();
