import type { IncomingHttpHeaders } from "node:http";
import { CliError } from "../../errors/cli-error.ts";
import { hasColour, isTerminal } from "../../terminal/is-terminal.ts";
import { layOutJson } from "../../terminal/json-layout.ts";
import { printable } from "../../terminal/safe-text.ts";
import { makeTerminalFilter } from "../../terminal/terminal-filter.ts";
import type { JqProgram } from "./jq.ts";

/** How a response began. */
export interface ResponseHead {
  readonly status: number;
  /** Safe to print. */
  readonly statusText: string;
}

/** Turns a response into what stdout gets. Each function returns the text or bytes to write now. */
export interface ResponseOutput {
  readonly head: (head: ResponseHead, headers: IncomingHttpHeaders) => string;
  /** @throws CliError if the response cannot be printed */
  readonly data: (chunk: Uint8Array) => string | Uint8Array;
  /** What is left to write, whether the response is complete or broke off. */
  readonly end: (outcome: "complete" | "broken") => string;
}

/** JSON of up to this many bytes is laid out on a terminal; larger JSON is printed as it arrives. */
const LAYOUT_BYTES = 16 * 1024 * 1024;

/** jq needs the whole response in memory, several times over. */
const JQ_BYTES = 64 * 1024 * 1024;

/** A pipe or file gets the bytes as they come, a terminal gets safe text, and `jq` gets the whole response first. */
export const responseOutput = (options: {
  readonly include: boolean;
  readonly jq: JqProgram | undefined;
}): ResponseOutput => {
  const body = isTerminal(1) ? terminalBody() : rawBody();
  const filtered = options.jq === undefined ? body : jqBody(options.jq, body);
  return {
    ...filtered,
    head: (head, headers) => {
      filtered.start(head, headers);
      return options.include ? headText(head, headers) : "";
    },
  };
};

interface Body extends Pick<ResponseOutput, "data" | "end"> {
  readonly start: (head: ResponseHead, headers: IncomingHttpHeaders) => void;
}

const rawBody = (): Body => ({ start: () => {}, data: (chunk) => chunk, end: () => "" });

/** JSON is kept until it is whole and then laid out; everything else passes the filter chunk by chunk. */
const terminalBody = (): Body => {
  const filter = makeTerminalFilter();
  let kept: Uint8Array[] | undefined;
  let size = 0;
  let lastCharacter = "\n";
  const show = (text: string): string => {
    lastCharacter = text.at(-1) ?? lastCharacter;
    return text;
  };
  const release = (): string => {
    const text = (kept ?? []).map(filter.push).join("");
    kept = undefined;
    return text;
  };
  return {
    start: (_, headers) => {
      kept = isJson(headers["content-type"]) ? [] : undefined;
    },
    data: (chunk) => {
      if (kept === undefined) return show(filter.push(chunk));
      kept.push(chunk);
      size += chunk.byteLength;
      return size > LAYOUT_BYTES ? show(release()) : "";
    },
    end: (outcome) => {
      const laidOut =
        kept === undefined || outcome === "broken"
          ? null
          : layOutJson(Buffer.concat(kept).toString(), { colour: hasColour(1) });
      const rest = show(laidOut ?? release() + filter.end());
      return lastCharacter === "\n" ? rest : `${rest}\n`;
    },
  };
};

const isJson = (contentType: string | undefined): boolean =>
  /^\s*application\/(?:[\w.-]+\+)?json\s*(?:;|$)/iu.test(contentType ?? "");

/**
 * As in gh, the response of a failed request is printed whole: the expression was written for a successful response.
 */
const jqBody = (jq: JqProgram, whole: Body): Body => {
  const chunks: Uint8Array[] = [];
  let size = 0;
  let isFailed = false;
  return {
    start: (head, headers) => {
      isFailed = head.status >= 400;
      whole.start(head, headers);
    },
    data: (chunk) => {
      if (isFailed) return whole.data(chunk);
      size += chunk.byteLength;
      if (size > JQ_BYTES) throw tooLong;
      chunks.push(chunk);
      return "";
    },
    end: (outcome) => {
      if (isFailed) return whole.end(outcome);
      return outcome === "broken" ? "" : jq.run(Buffer.concat(chunks).toString());
    },
  };
};

const tooLong = new CliError({
  code: "CLI_JQ_FAILED",
  message: "the response is longer than 64 MiB, which is too long for --jq",
  hint: "Write it to a file without --jq, and run jq on the file.",
});

const headText = ({ status, statusText }: ResponseHead, headers: IncomingHttpHeaders): string => {
  const shown = isTerminal(1) ? printable : (text: string) => text;
  const lines = [`HTTP/1.1 ${status} ${statusText}`.trimEnd()];
  for (const [name, value] of Object.entries(headers)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      lines.push(`${name}: ${shown(one ?? "")}`);
    }
  }
  return `${lines.join("\r\n")}\r\n\r\n`;
};
