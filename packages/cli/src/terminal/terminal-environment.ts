/** The terminal of stderr, and whether a browser can be opened. Read once, at the start of the program. */
export interface TerminalEnvironment {
  /** Whether stderr is a terminal whose cursor can be moved. */
  readonly isTerminal: boolean;
  readonly hasColour: boolean;
  /** The terminal's current number of columns; a large number if there is no terminal. */
  readonly columns: () => number;
  /** Whether the person is connected from another machine (SSH). */
  readonly isRemote: boolean;
  /** Whether a window could open here. */
  readonly hasDisplay: boolean;
  /** `BROWSER`: the commands that open URLs, see `parseBrowser`; empty counts as unset. */
  readonly browser?: string;
}

type Variables = Readonly<Record<string, string | undefined>>;

interface Stream {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

const NO_TERMINAL_COLUMNS = 100;
const NARROWEST = 20;

/** Reads the variables that say how a terminal is to be treated (no-color.org: any value but an empty one counts). */
export const readTerminalEnvironment = (
  env: Variables,
  stream: Stream,
  platform: NodeJS.Platform,
): TerminalEnvironment => {
  const isSet = (name: string) => (env[name] ?? "").trim() !== "";
  const isTerminal = stream.isTTY === true && env["TERM"] !== "dumb";
  const browser = env["BROWSER"]?.trim();
  return {
    isTerminal,
    hasColour: isTerminal && !isSet("NO_COLOR"),
    columns: () => Math.max(NARROWEST, stream.columns || NO_TERMINAL_COLUMNS),
    isRemote: isSet("SSH_CONNECTION") || isSet("SSH_CLIENT") || isSet("SSH_TTY"),
    hasDisplay:
      platform !== "linux" ||
      isSet("DISPLAY") ||
      isSet("WAYLAND_DISPLAY") ||
      isSet("WSL_DISTRO_NAME"),
    ...(browser && { browser }),
  };
};
