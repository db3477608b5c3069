import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collectGarbage: unknown = runInNewContext("gc");

/** The memory in use, without garbage, in MiB. */
const inUse = (): number => {
  if (typeof collectGarbage === "function") collectGarbage();
  const { external, heapUsed } = process.memoryUsage();
  return (heapUsed + external) / (1024 * 1024);
};

/** The memory that the work leaves in use at its end, in MiB. */
export const growthOf = async (work: () => Promise<void>): Promise<number> => {
  const before = inUse();
  await work();
  return inUse() - before;
};
