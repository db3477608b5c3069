// Runs the built agent-auth binary in a child process and shows its output.
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { styleText } from "node:util";
import { binary } from "./binary.ts";
import { environmentWithoutCredentials } from "./environment.ts";

const SHOWN_LINES = 14;
const WIDTH = 100;

export interface Finished {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const fit = (line: string): string => (line.length > WIDTH ? `${line.slice(0, WIDTH - 1)}…` : line);

/** Breaks a line of text between words. */
const wrap = (line: string): ReadonlyArray<string> => {
  const [first = line, ...rest] =
    line.match(new RegExp(`(?:\\S{${WIDTH},}|.{1,${WIDTH}})(?=\\s|$)`, "g")) ?? [];
  return [first, ...rest.map((part) => part.trimStart())];
};

const show = (output: string, lay: (line: string) => ReadonlyArray<string>): void => {
  const lines = output
    .split("\n")
    .filter((line) => line !== "")
    .flatMap(lay);
  for (const line of lines.slice(0, SHOWN_LINES)) console.log(styleText("dim", `   │ ${line}`));
  if (lines.length > SHOWN_LINES)
    console.log(styleText("dim", `   │ … ${lines.length - SHOWN_LINES} more lines`));
};

const quote = (arg: string): string => (/^[\w./=:-]+$/.test(arg) ? arg : `'${arg}'`);

/** A shell with CODEX_HOME `home` and without the user's own credentials. */
export const makeShell = (home: string) => {
  const env = { ...environmentWithoutCredentials(), CODEX_HOME: home };
  return {
    async run(args: ReadonlyArray<string>, stdin?: string): Promise<Finished> {
      const pipe = stdin === undefined ? "" : "echo <token> | ";
      console.log(`   ${styleText("cyan", `$ ${pipe}agent-auth ${args.map(quote).join(" ")}`)}`);
      const child = spawn(process.execPath, [binary, ...args], { env, stdio: "pipe" });
      child.stdin.on("error", () => undefined); // a command may exit without reading its input
      child.stdin.end(stdin ?? "");
      const closed = new Promise<number | null>((done) => child.once("close", done));
      const [stdout, stderr, exitCode] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        closed,
      ]);
      show(stderr, wrap);
      show(stdout, (line) => [fit(line)]);
      return { exitCode, stdout, stderr };
    },
  };
};
