/**
 * Whether a fetch body can be sent a second time: nothing, text, bytes, `URLSearchParams`, `Blob` and `FormData` can.
 * A stream or an iterable is spent by the first attempt, and keeping a copy would mean buffering it.
 */
export const isReplayable = (body: unknown): boolean =>
  body === null ||
  body === undefined ||
  typeof body === "string" ||
  body instanceof ArrayBuffer ||
  ArrayBuffer.isView(body) ||
  body instanceof URLSearchParams ||
  body instanceof Blob ||
  isFormData(body);

/**
 * The global `FormData` or undici's own: two classes, one name. Asking for the global one by `instanceof` would load
 * all of Node's own fetch.
 */
export const isFormData = (body: unknown): body is FormData =>
  typeof body === "object" &&
  body !== null &&
  Symbol.toStringTag in body &&
  body[Symbol.toStringTag] === "FormData";
