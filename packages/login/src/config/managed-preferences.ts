import { isUtf8 } from "node:buffer";
import { lstatSync } from "node:fs";
import * as Effect from "effect/Effect";
import { ConfigSyntaxError, ConfigUnreadable } from "../errors/config.ts";
import { whyNotTrusted } from "./system-files.ts";

/** The preferences that device management (MDM) of macOS forces on a machine or a user. */
export interface ManagedPreferences {
  /** Property lists; those that do not exist are left out. Later ones win. */
  readonly files: ReadonlyArray<string>;
  /** A program and its first arguments: it gets a file, and prints it as an XML property list. */
  readonly printer: ReadonlyArray<string>;
}

const domain = "com.openai.codex";

/** The keys in which Codex expects TOML, in base64. */
export type PreferenceKey = "config_toml_base64" | "requirements_toml_base64";

/** TOML of a preference, and its name for errors. */
export interface Preference {
  readonly where: string;
  readonly text: string;
}

/** What macOS has; nothing elsewhere. Not tested on a Mac. */
const ofPlatform = (): ManagedPreferences | undefined => {
  if (process.platform !== "darwin") return undefined;
  const folder = "/Library/Managed Preferences";
  const { username } = process.getBuiltinModule("node:os").userInfo();
  return {
    files: [`${folder}/${domain}.plist`, `${folder}/${username}/${domain}.plist`],
    printer: ["/usr/bin/plutil", "-convert", "xml1", "-o", "-"],
  };
};

const timeoutMs = 5_000;
const maxBytes = 4 * 1024 * 1024;

/**
 * Reads a preference that device management forces; `undefined` if there is none. Preferences that the user sets are not
 * read. Fails if one cannot be read, is not base64, or can be changed by other users than root and the current one: a rule
 * is never ignored.
 */
export const readPreference = (
  { managedPreferences = ofPlatform() }: { readonly managedPreferences?: ManagedPreferences },
  key: PreferenceKey,
): Effect.Effect<Preference | undefined, ConfigSyntaxError | ConfigUnreadable> =>
  Effect.gen(function* () {
    let found: Preference | undefined;
    for (const file of managedPreferences?.files ?? []) {
      if (managedPreferences === undefined || !exists(file)) continue;
      const reason = whyNotTrusted(file);
      if (reason !== undefined)
        return yield* new ConfigUnreadable({ path: file, reason, isSystemFile: true });
      const xml = yield* print(managedPreferences.printer, file);
      const where = `${domain}:${key} in ${file}`;
      const base64 = valueOf(xml, key);
      if (base64 === undefined) continue;
      const bytes = base64 === null ? undefined : decode(base64);
      if (bytes === undefined)
        return yield* new ConfigSyntaxError({
          where,
          reason: "it is not TOML in base64",
          isSystemFile: true,
        });
      found = { where, text: new TextDecoder().decode(bytes) };
    }
    return found;
  });

const exists = (path: string): boolean => {
  try {
    // A link to a file that does not exist is not the same as none.
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true; // printing it says why it cannot be read
  }
};

const print = (
  [program = "", ...args]: ReadonlyArray<string>,
  path: string,
): Effect.Effect<string, ConfigUnreadable> =>
  Effect.flatMap(
    Effect.promise(() => import("node:child_process")),
    ({ spawnSync }) => {
      const printed = spawnSync(program, [...args, path], {
        encoding: "utf8",
        maxBuffer: maxBytes,
        stdio: ["ignore", "pipe", "ignore"],
        timeout: timeoutMs,
        env: {},
      });
      return printed.status === 0
        ? Effect.succeed(printed.stdout)
        : Effect.fail(
            new ConfigUnreadable({
              path,
              reason: `${program} cannot print it`,
              isSystemFile: true,
            }),
          );
    },
  );

/** The text of a string in a property list; `null` if the key has another type, `undefined` if there is no such key. */
const valueOf = (xml: string, key: PreferenceKey): string | null | undefined => {
  const [, type, text = ""] =
    new RegExp(`<key>${key}</key>\\s*<(\\w+)>([^<]*)`).exec(xml.replaceAll(/<!--.*?-->/gs, "")) ??
    [];
  if (type !== undefined) return type === "string" ? text : null;
  return xml.includes(`<key>${key}</key>`) ? null : undefined;
};

const decode = (base64: string): Uint8Array | undefined => {
  const text = base64.replaceAll(/\s/g, "");
  const bytes = Buffer.from(text, "base64");
  const isWhole = bytes.toString("base64").replace(/=+$/, "") === text.replace(/=+$/, "");
  return isWhole && isUtf8(bytes) ? bytes : undefined;
};
