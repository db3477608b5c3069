/** Of one call. */
export interface CallOptions {
  /**
   * Aborting it rejects the call with the signal's reason, and ends what only this call was waiting for; a request that
   * calls share goes on.
   */
  readonly signal?: AbortSignal;
}
