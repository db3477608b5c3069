type Signal = AbortSignal | null | undefined;

/** Waits for a promise until the signal aborts; what the promise stands for goes on, since others may share it. */
export const waitFor = <A>(promise: Promise<A>, signal: Signal): Promise<A> => {
  if (signal === null || signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      reject(signal.reason);
    };
    const settle =
      <B>(done: (value: B) => void) =>
      (value: B) => {
        signal.removeEventListener("abort", onAbort);
        done(value);
      };
    promise.then(settle(resolve), settle(reject));
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
};

/** Waits for some milliseconds, or until the signal aborts, which rejects with its reason. */
export const pause = (delayMs: number, signal: Signal): Promise<void> => {
  let timer: NodeJS.Timeout | undefined;
  const elapsed = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, delayMs);
  });
  return waitFor(elapsed, signal).finally(() => {
    clearTimeout(timer);
  });
};
