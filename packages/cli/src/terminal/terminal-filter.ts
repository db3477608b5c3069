/** Makes a text that arrives in pieces safe for a terminal. */
export interface TerminalFilter {
  /** The safe text of one more chunk. What could be half a character or half a line end waits for the next one. */
  readonly push: (chunk: string | Uint8Array) => string;
  /** What was still waiting. */
  readonly end: () => string;
}

/**
 * A filter for text of a server that is shown on a terminal. Every character that starts an escape sequence (ESC and
 * the C1 controls, which include CSI and OSC), every other control character and every character that changes the text
 * direction becomes `\ufffd`. Tabs and line ends stay; a carriage return stays only as part of a line end, since alone it
 * would let text overwrite the line.
 *
 * Bytes are read as UTF-8, so that a C1 control is found in both of its forms: two bytes of UTF-8, or one byte that is
 * not UTF-8. Neither a character nor a line end that is split over two chunks gets through.
 */
export const makeTerminalFilter = (): TerminalFilter => {
  const decoder = new TextDecoder();
  let held = "";
  const filter = (text: string, isLast: boolean): string => {
    const whole = held + text;
    held = !isLast && whole.endsWith("\r") ? "\r" : "";
    return whole.slice(0, whole.length - held.length).replaceAll(unsafe, "\u{fffd}");
  };
  return {
    push: (chunk) =>
      filter(typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true }), false),
    end: () => filter(decoder.decode(), true),
  };
};

const unsafe =
  // oxlint-disable-next-line no-control-regex -- \p{Cc} would load Unicode tables
  /\r(?!\n)|[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
