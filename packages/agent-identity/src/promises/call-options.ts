/** Of one call. */
export interface CallOptions {
  /** Aborting it rejects the call and ends what only this call was waiting for. */
  readonly signal?: AbortSignal;
}
