import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { readdirSync, readFileSync, watch } from "node:fs";
import { join } from "node:path";
import { parseAuthJson } from "../src/storage/auth-json/index.ts";
import { layer } from "../src/storage/configured.ts";
import { CredentialStore } from "../src/storage/index.ts";
import { proofSize } from "@agent-auth/tools/proof";
import { temporaryHome } from "./support/home.ts";
import { program, start } from "./support/start-program.ts";
import { locked } from "./support/lock.ts";

const SAVES = proofSize({ test: 200, proof: 1_000 });
const SAVES_A_KILL = 25;
const STEPS_OF_A_SAVE = 6;

const last = (output: string, word: string): number => {
  const lines = output.split("\n").filter((line) => line.startsWith(`${word} `));
  return Number(lines.at(-1)?.split(" ")[1] ?? "-1");
};

/** The number of the credential in the file; fails unless the file is one whole document. */
const numberInFile = (path: string): number => {
  const document = Effect.runSync(parseAuthJson(readFileSync(path), path));
  const key = Redacted.value(document.openaiApiKey ?? Redacted.make(""));
  const match = /^sk-(\d+)-x{20000}-end$/.exec(key);
  if (match === null) throw new Error("the file holds a credential that no process saved");
  return Number(match[1]);
};

describe("CredentialStore.save, file", () => {
  it(
    `leaves the old credential or the new one, whole, whenever it is killed, over ${SAVES} saves`,
    { timeout: 180_000 },
    async () => {
      const { path: home } = temporaryHome();
      const file = join(home, "auth.json");
      let done = -1;
      let [kills, midway, leftOver] = [0, 0, 0];

      while (done < SAVES) {
        const writer = start(program("save-for-ever", home, String(done + 1)));
        const killAfter = done + SAVES_A_KILL + Math.floor(Math.random() * SAVES_A_KILL);
        // What a save does in the folder: its temporary file comes, is written and takes the place of auth.json.
        let stepsToLive = Math.floor(Math.random() * STEPS_OF_A_SAVE);
        let heard = "";
        const steps = watch(home, () => {
          if (last(heard, "done") < killAfter) return;
          if (stepsToLive-- === 0) writer.child.kill("SIGKILL");
        });
        writer.child.stdout?.on("data", (chunk: Buffer) => (heard += chunk.toString()));
        const { stdout, stderr } = await writer.ended;
        steps.close();
        expect(stderr).toBe("");

        const started = last(stdout, "start");
        done = last(stdout, "done");
        expect([done, started]).toContain(numberInFile(file));
        kills++;
        if (started > done) midway++;
        if (readdirSync(home).some((name) => name.endsWith(".tmp"))) leftOver++;
      }

      // Nearly all kills hit a save, some between its temporary file and the rename.
      expect(kills).toBeGreaterThanOrEqual(SAVES / (2 * SAVES_A_KILL));
      expect(midway).toBeGreaterThan(kills / 2);
      console.log(
        `${done} saves, ${kills} kills, ${midway} in the midst of one, ${leftOver} left a temporary file`,
      );

      // The next save sweeps what the dead left, and nothing but the file and the locks is there.
      const codexHome = { path: home, explicit: true };
      const save = locked(CredentialStore.use((store) => store.save({})));
      await Effect.runPromise(Effect.provide(save, layer({ mode: "file", codexHome })));
      expect(readdirSync(home).toSorted()).toEqual([
        "agent-auth.lock",
        "auth.json",
        "auth.json.lock",
        "auth.lock",
      ]);
    },
  );
});
