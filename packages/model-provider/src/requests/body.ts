/** The body of a request in the global `fetch`, a type that TypeScript's Node types do not name. */
export type FetchBody = NonNullable<RequestInit["body"]>;

/**
 * Returns whether a body can be sent a second time. Text, bytes, `URLSearchParams`, `Blob` and `FormData` can. A stream
 * or an iterable is consumed by the first attempt; a `RecordedBody` can be replayed while it fits into its memory.
 */
export const isReplayable = (body: unknown): boolean =>
  body === null ||
  body === undefined ||
  typeof body === "string" ||
  body instanceof ArrayBuffer ||
  ArrayBuffer.isView(body) ||
  body instanceof URLSearchParams ||
  body instanceof Blob ||
  isFormData(body) ||
  (body instanceof RecordedBody && body.isReplayable);

/**
 * Returns whether a value is a `FormData`, the global one or undici's own. `instanceof` with the global one would load
 * all of Node's fetch.
 */
export const isFormData = (body: unknown): body is FormData =>
  typeof body === "object" &&
  body !== null &&
  Symbol.toStringTag in body &&
  body[Symbol.toStringTag] === "FormData";

/** Returns a body that the caller cannot change any more: a copy if it is one that can be changed in place. */
export const snapshotBody = (body: FetchBody): FetchBody => {
  if (typeof body === "string") return body;
  if (body instanceof ArrayBuffer) return body.slice(0);
  if (ArrayBuffer.isView(body)) {
    const bytes = new Uint8Array(body.byteLength);
    bytes.set(new Uint8Array(body.buffer, body.byteOffset, body.byteLength));
    return bytes;
  }
  if (body instanceof URLSearchParams) return new URLSearchParams(body);
  return isFormData(body) ? copyForm(body) : body;
};

const copyForm = (form: FormData): FormData => {
  const copy: unknown = Reflect.construct(form.constructor, []);
  if (!isFormData(copy)) return form;
  for (const [name, value] of form)
    if (typeof value === "string") copy.append(name, value);
    else copy.append(name, value, value.name);
  return copy;
};

/** Bytes of a `Request`'s body that are kept for another attempt. */
const maxRecordedBytes = 8 * 1024 * 1024;

/**
 * The body of a `Request`, which is a stream even if it was made from text. It is sent as it comes and recorded on the
 * way, so that it can be sent again, as long as it has at most 8 MiB.
 */
export class RecordedBody {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #chunks: Array<Uint8Array> = [];
  #bytes = 0;
  #isReplayable = true;
  #isEnded = false;
  /** Number of the stream that may read: a later one takes over from an earlier one. */
  #current = 0;
  /** The read of the source that is under way. */
  #reading: Promise<void> | undefined;
  /** No further stream will be requested. */
  #isFinal = false;
  #isCancelled = false;

  constructor(source: ReadableStream<Uint8Array>) {
    this.#reader = source.getReader();
  }

  get isReplayable(): boolean {
    return this.#isReplayable;
  }

  /** Returns the whole body as a stream: what is recorded, then the rest of the source. Ends earlier streams. */
  stream(): ReadableStream<Uint8Array> {
    const number = ++this.#current;
    let next = 0;
    this.#isCancelled = false;
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          for (;;) {
            const chunk = this.#chunks[next];
            if (number !== this.#current || (chunk === undefined && this.#isEnded))
              return controller.close();
            if (chunk === undefined) {
              await (this.#reading ??= this.#read());
              continue;
            }
            if (this.#isReplayable) next++;
            else {
              this.#chunks.splice(0, next + 1);
              next = 0;
            }
            return controller.enqueue(chunk);
          }
        },
        cancel: (reason) => {
          if (number !== this.#current) return;
          this.#isCancelled = true;
          if (this.#isFinal) this.#cancelSource(reason);
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** Marks the current stream as the last one: if it is cancelled, so is the source. */
  finish(): void {
    this.#isFinal = true;
    if (this.#isCancelled) this.#cancelSource(undefined);
  }

  async #read(): Promise<void> {
    try {
      const chunk = await this.#reader.read();
      if (chunk.done) {
        this.#isEnded = true;
        return;
      }
      this.#chunks.push(chunk.value);
      this.#bytes += chunk.value.byteLength;
      if (this.#bytes > maxRecordedBytes) this.#isReplayable = false;
    } finally {
      this.#reading = undefined;
    }
  }

  #cancelSource(reason: unknown): void {
    void this.#reader.cancel(reason).catch(() => {});
  }
}

/** Limits for reading a discarded response to its end, so that its connection can be reused: bytes and milliseconds. */
const maxDiscardedBytes = 64 * 1024;
const maxDiscardMs = 1000;

/**
 * Discards a response. A short one is read to its end, so that the next attempt can use its connection; a long or slow one
 * is cancelled. Never fails.
 */
export const discard = async (response: Response): Promise<void> => {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  const cancel = () => void reader.cancel().catch(() => {});
  const timer = setTimeout(cancel, maxDiscardMs);
  try {
    for (let bytes = 0; bytes <= maxDiscardedBytes;) {
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
