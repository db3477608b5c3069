// Compares what failed under Wine with the list of what is expected to fail there.

import * as z from "zod";

/** What Vitest's JSON reporter writes, as far as it is used here. */
export const Results = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      assertionResults: z.array(z.object({ fullName: z.string(), status: z.string() })),
    }),
  ),
});
export type Results = z.infer<typeof Results>;

const Suite = z.object({
  /** The files that are run. The failures of the others have not been explained yet. */
  files: z.array(z.string()),
  failures: z.array(
    z.object({
      /** Why the tests fail under Wine, and whether they would on Windows. */
      why: z.string(),
      tests: z.array(z.string()),
    }),
  ),
});
export type Suite = z.infer<typeof Suite>;

/** The list by package. */
export const List = z.record(z.string(), Suite);

export interface Comparison {
  readonly passed: number;
  readonly failed: ReadonlyArray<string>;
  /** Failed, and are not in the list. */
  readonly unexpected: ReadonlyArray<string>;
  /** Are in the list, and passed, were skipped or were not found. */
  readonly notFailed: ReadonlyArray<string>;
}

/** What the list calls a file that could not be loaded, after its name. */
const notLoaded = "(the file)";

/** Returns the differences between results and list. `root` is the package's folder, as Vitest prints it. */
export const compare = (results: Results, suite: Suite, root: string): Comparison => {
  const outcomes = results.testResults.flatMap(({ assertionResults, name, status }) => {
    const file = relativeTo(root, name);
    return assertionResults.length === 0
      ? [{ test: `${file} ${notLoaded}`, status }]
      : assertionResults.map((one) => ({ test: `${file} ${one.fullName}`, status: one.status }));
  });
  const of = (wanted: string) =>
    outcomes.filter(({ status }) => status === wanted).map(({ test }) => test);
  const failed = of("failed");
  const expected = new Set(suite.failures.flatMap(({ tests }) => tests));
  return {
    passed: of("passed").length,
    failed,
    unexpected: failed.filter((test) => !expected.has(test)),
    notFailed: [...expected].filter((test) => !failed.includes(test)),
  };
};

const relativeTo = (root: string, file: string): string => {
  const [folder, path] = [root, file].map((one) =>
    one.replaceAll("\\", "/").replace(/^[A-Z]:/i, ""),
  );
  return path?.replace(`${folder}/`, "") ?? file;
};

/** The reason of failures that `--update` has added and that have to be explained. */
export const unexplained = "unexplained";

/** Returns the list without what did not fail, and with what failed unexpectedly under `unexplained`. */
export const updated = (suite: Suite, { notFailed, unexpected }: Comparison): Suite => ({
  files: suite.files,
  failures: [...suite.failures, { why: unexplained, tests: unexpected }]
    .map(({ tests, why }) => ({ why, tests: tests.filter((test) => !notFailed.includes(test)) }))
    .filter(({ tests }) => tests.length > 0),
});
