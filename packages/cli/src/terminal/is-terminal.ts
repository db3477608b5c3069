import { fstatSync, statSync } from "node:fs";

/**
 * Whether a standard stream is a terminal. Pipes, files and the null device are recognized by their file type, without
 * Node's tty module, which loads net and streams (about 3 ms).
 */
export const isTerminal = (fd: 0 | 1 | 2): boolean => {
  try {
    const stat = fstatSync(fd);
    if (!stat.isCharacterDevice() || stat.rdev === nullDevice()) return false;
    return process.getBuiltinModule("node:tty").isatty(fd);
  } catch {
    return false;
  }
};

const nullDevice = (): number | undefined => statSync("/dev/null", { throwIfNoEntry: false })?.rdev;

/** Whether a stream shows colours: a terminal that is not `dumb`, unless `NO_COLOR` is set (no-color.org). */
export const hasColour = (fd: 1 | 2): boolean => {
  const { NO_COLOR = "", TERM } = process.env;
  return NO_COLOR === "" && TERM !== "dumb" && isTerminal(fd);
};

/** How help is printed on stdout: in the window's width and with colour on a terminal, else 80 columns without. */
export const helpStyle = (): { readonly width: number; readonly colour: boolean } =>
  isTerminal(1)
    ? { width: Math.max(MIN_WIDTH, process.stdout.columns || 80), colour: hasColour(1) }
    : { width: 80, colour: false };

const MIN_WIDTH = 40;
