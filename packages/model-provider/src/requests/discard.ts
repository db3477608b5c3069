/** Bytes worth reading to get a connection back. */
const maxBytes = 64 * 1024;
const maxMs = 1000;

/**
 * Gets rid of an answer that nobody will read: a short one is read to its end, so that its connection serves the
 * next attempt; a long or slow one is cancelled. Never fails.
 */
export const discard = async (response: Response): Promise<void> => {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  const cancel = () => void reader.cancel().catch(() => {});
  const timer = setTimeout(cancel, maxMs);
  try {
    for (let bytes = 0; bytes <= maxBytes;) {
      const chunk = await reader.read();
      if (chunk.done) return;
      bytes += chunk.value.byteLength;
    }
    cancel();
  } catch {
    // The connection broke; there was nothing to keep.
  } finally {
    clearTimeout(timer);
  }
};
