import { once } from "node:events";
import { ReaderGone } from "./write.ts";

/**
 * Copies chunks to stdout as they come, as fast as its reader takes them.
 *
 * @throws ReaderGone where nobody reads any more
 */
export const streamAnswer = async (chunks: AsyncIterable<Uint8Array>): Promise<void> => {
  const { stdout } = process;
  const failed = new AbortController();
  stdout.once("error", () => failed.abort(new ReaderGone("nobody reads stdout any more")));
  for await (const chunk of chunks) {
    failed.signal.throwIfAborted();
    if (!stdout.write(chunk)) await drained(failed.signal);
  }
  // The last write has to arrive before the process may end.
  await new Promise<void>((resolve) => {
    stdout.write("", () => resolve());
  });
  failed.signal.throwIfAborted();
};

const drained = async (signal: AbortSignal) => {
  try {
    await once(process.stdout, "drain", { signal });
  } catch {
    signal.throwIfAborted();
  }
};
