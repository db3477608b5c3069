/** Waits for a promise until the signal aborts; what the promise stands for goes on, since others may share it. */
export const waitFor = <A>(
  promise: Promise<A>,
  signal: AbortSignal | null | undefined,
): Promise<A> => {
  if (signal === null || signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(reasonOf(signal));
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
};

const reasonOf = (signal: AbortSignal): Error =>
  signal.reason instanceof Error ? signal.reason : new DOMException("aborted", "AbortError");
