import * as Effect from "effect/Effect";
import * as Schedule from "effect/Schedule";
import { systemCodeOf } from "./system-error.ts";

/** What Windows reports for a file that another program has open, or that is being replaced at this moment. */
const inUseCodes: ReadonlySet<string | undefined> = new Set(["EACCES", "EBUSY", "EPERM"]);

/** Whether an error may be gone a moment later: only on Windows do open files keep their names. */
export const isInUse = (
  systemCode: string | undefined,
  platform: NodeJS.Platform = process.platform,
): boolean => platform === "win32" && inUseCodes.has(systemCode);

export interface InUseOptions {
  /** Default `process.platform`. */
  readonly platform?: NodeJS.Platform;
  /** Milliseconds after which the last error is thrown. Default 5000. */
  readonly maxWaitMs?: number;
}

/**
 * Renames, removes or opens a file. On Windows, tries again with growing pauses while another program has it open: virus
 * scanners, indexers and readers do for moments. Elsewhere it tries once.
 */
export const onceNotInUse = async <A>(
  change: () => Promise<A>,
  { maxWaitMs = 5_000, platform = process.platform }: InUseOptions = {},
): Promise<A> => {
  if (platform !== "win32") return change();
  const pauses = Schedule.min([Schedule.exponential(10, 1.5), Schedule.spaced(100)]);
  return Effect.runPromise(
    Effect.retry(Effect.tryPromise({ try: change, catch: (error) => error }), {
      schedule: Schedule.upTo(Schedule.jittered(pauses), { duration: maxWaitMs }),
      while: (error) => isInUse(systemCodeOf(error), platform),
    }),
  );
};
