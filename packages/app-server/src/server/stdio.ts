import { isUtf8 } from "node:buffer";
import type { Readable, Writable } from "node:stream";
import { MAX_MESSAGE_BYTES, openSession, type SessionHost } from "../rpc/session.ts";

export interface StdioOptions {
  readonly host: SessionHost;
  readonly input: Readable;
  readonly output: Writable;
  /** Called for each line that is skipped, because it is too long or not UTF-8. */
  readonly onSkipped?: (reason: string) => void;
}

/** Milliseconds in which requests in progress can be answered after the input has ended. */
const SETTLE_MS = 1_000;
/** Milliseconds in which the client can then read the remaining output. */
const FLUSH_MS = 500;

/**
 * Serves one client: one JSON-RPC message per line. Resolves when the input has ended and the requests in progress are
 * answered, at the latest after 1.5 seconds, or when the client does not read.
 */
export const serveLines = ({
  host,
  input,
  onSkipped = () => {},
  output,
}: StdioOptions): Promise<void> =>
  new Promise((resolve) => {
    let outgoing = "";
    let isEnding = false;
    // Writes all messages of a turn at once, after the callbacks of promises that are already settled.
    const flush = () => {
      const text = outgoing;
      outgoing = "";
      if (text !== "" && !output.destroyed) output.write(text);
    };
    const finish = () => {
      input.off("data", lines.push);
      input.destroy();
      session.close();
      resolve();
    };
    const session = openSession(
      {
        send: (text) => {
          if (outgoing === "") process.nextTick(flush);
          outgoing += `${text}\n`;
        },
        bufferedBytes: () => output.writableLength + outgoing.length,
        setPaused: (isPaused) => (isPaused ? input.pause() : input.resume()),
        abort: finish,
      },
      host,
    );
    const lines = makeLineReader(session.receive, onSkipped);
    const end = async () => {
      if (isEnding) return;
      isEnding = true;
      lines.end();
      await atMost(SETTLE_MS, session.settled());
      // A notification that follows an answer comes in the next turn. On Bun the input has ended before that.
      await new Promise<void>((next) => setImmediate(next));
      flush();
      await atMost(FLUSH_MS, written(output));
      finish();
    };
    output.on("drain", session.drained);
    output.on("error", finish); // the client has closed its end
    input.on("data", lines.push);
    input.on("end", () => void end());
    input.on("error", () => void end());
  });

const written = (output: Writable): Promise<void> =>
  new Promise((resolve) => {
    if (output.writableLength === 0 || output.destroyed) resolve();
    else output.write("", () => resolve());
  });

const atMost = async (ms: number, work: Promise<void>): Promise<void> => {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, timeout]);
  clearTimeout(timer);
};

const NEWLINE = 0x0a;
const tooLong = `a message of more than ${MAX_MESSAGE_BYTES / 1024} KiB was ignored`;

/** Splits chunks into lines. A line that is too long is skipped without being kept. */
const makeLineReader = (onLine: (line: string) => void, onSkipped: (reason: string) => void) => {
  let parts: Buffer[] = [];
  let bytes = 0;
  let isSkipping = false;

  const keep = (part: Buffer): void => {
    if (isSkipping || part.length === 0) return;
    bytes += part.length;
    if (bytes <= MAX_MESSAGE_BYTES) return void parts.push(part);
    parts = [];
    isSkipping = true;
    onSkipped(tooLong);
  };

  const take = (): Buffer => {
    const [first] = parts;
    const whole = parts.length === 1 && first !== undefined ? first : Buffer.concat(parts);
    parts = [];
    bytes = 0;
    isSkipping = false;
    return whole;
  };

  const tell = (block: Buffer): void => {
    if (block.length <= MAX_MESSAGE_BYTES && isUtf8(block)) {
      for (const line of block.toString().split("\n")) if (line !== "") onLine(line);
      return;
    }
    for (let start = 0; start < block.length;) {
      const found = block.indexOf(NEWLINE, start);
      const end = found < 0 ? block.length : found;
      const line = block.subarray(start, end);
      if (line.length > MAX_MESSAGE_BYTES) onSkipped(tooLong);
      else if (isUtf8(line)) onLine(line.toString());
      else onSkipped("a message that is not UTF-8 was ignored");
      start = end + 1;
    }
  };

  return {
    push: (chunk: Buffer): void => {
      const first = chunk.indexOf(NEWLINE);
      if (first < 0) return keep(chunk);
      const last = chunk.lastIndexOf(NEWLINE);
      keep(chunk.subarray(0, first));
      tell(take());
      if (last > first) tell(chunk.subarray(first + 1, last));
      keep(chunk.subarray(last + 1));
    },
    /** The last line may lack its newline. */
    end: (): void => tell(take()),
  };
};
