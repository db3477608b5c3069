export { type FoundFile, readRegularFile } from "./regular-file.ts";
export { describeSystemError, type SystemError } from "./system-error.ts";
