import { chmodSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as Effect from "effect/Effect";
import { describe, expect, it } from "vitest";
import { explainConfig, loadConfig } from "../src/config/index.ts";
import { temporaryFolder, temporaryHome } from "./support/home.ts";

// The printer of macOS is plutil, which prints any property list as XML; here the files are XML, and cat stands in for it.
// Not tested on a Mac.

type Preferences = Readonly<Record<string, string>>;

const base64 = (toml: string): string => `<string>${Buffer.from(toml).toString("base64")}</string>`;
const requiredProvider = (id: string): Preferences => ({
  requirements_toml_base64: base64(`model_provider = "${id}"\n[model_providers.${id}]`),
});

/** Property lists of the machine and of the user, over a user's `config.toml` and an empty system folder. */
const open = (lists: ReadonlyArray<Preferences>, files: Preferences = {}) => {
  const folder = temporaryFolder();
  const preferences = lists.map((list, index) => {
    const path = join(folder, `${index}.plist`);
    const entries = Object.entries(list).map(([key, value]) => `<key>${key}</key>\n\t${value}`);
    writeFileSync(path, `<plist version="1.0"><dict>${entries.join("\n")}</dict></plist>`);
    return path;
  });
  const home = temporaryHome();
  const systemFolder = temporaryFolder();
  writeFileSync(join(home.path, "config.toml"), files["config.toml"] ?? "");
  for (const [name, text] of Object.entries(files))
    if (name !== "config.toml") writeFileSync(join(systemFolder, name), text);
  return {
    codexHome: home,
    systemFolder,
    managedPreferences: {
      files: [...preferences, join(folder, "missing.plist")],
      printer: ["/bin/cat"],
    },
  };
};

const where = /^com\.openai\.codex:requirements_toml_base64 in .*\.plist$/;

describe.skipIf(process.platform === "win32")(
  "the preferences that device management of macOS forces",
  () => {
    it("stop everything if they are a link to a file that does not exist", async () => {
      const sources = open([]);
      const path = join(temporaryFolder(), "dangling.plist");
      symlinkSync("/nonexistent.plist", path);
      const managedPreferences = { ...sources.managedPreferences, files: [path] };
      const error = await Effect.runPromise(
        Effect.flip(loadConfig({ ...sources, managedPreferences })),
      );
      expect(error.message).toBe(`cannot use ${path}: there is no such file or folder`);
    });

    it.each([
      ["file", 0o664, "its group can change it"],
      ["file", 0o666, "every user can change it"],
      ["folder", 0o777, "every user can change it"],
    ] as const)(
      "stop everything if other users can change the %s: mode %o",
      async (what, mode, reason) => {
        const sources = open([
          { requirements_toml_base64: base64('allowed_login_methods = ["api"]') },
        ]);
        const [path = ""] = sources.managedPreferences.files;
        chmodSync(what === "file" ? path : dirname(path), mode);
        const error = await Effect.runPromise(Effect.flip(loadConfig(sources)));
        const where = what === "file" ? "" : `${dirname(path)}: `;
        expect([error.message, error.remedy]).toEqual([
          `cannot use ${path}: ${where}${reason}`,
          "contactAdmin",
        ]);
      },
    );

    it("restrict credentials, together with requirements.toml", async () => {
      const sources = open(
        [
          { requirements_toml_base64: base64('allowed_login_methods = ["chatgpt"]') },
          { something_else: "<data>AA==</data>" },
        ],
        { "requirements.toml": 'allowed_chatgpt_workspaces = ["ws-1"]' },
      );
      const { administratorRules } = await Effect.runPromise(loadConfig(sources));
      expect(administratorRules).toMatchObject([
        { _tag: "Workspaces", allowed: ["ws-1"] },
        { _tag: "LoginMethods", allowed: ["chatgpt"], where: expect.stringMatching(where) },
      ]);
    });

    it("win over managed_config.toml and the user, and doctor names them", async () => {
      const sources = open(
        [{ config_toml_base64: base64('model_provider = "managed"\n[model_providers.managed]') }],
        {
          "config.toml": 'model_provider = "own"\n[model_providers.own]',
          "managed_config.toml": 'model_provider = "file"\n[model_providers.file]',
        },
      );
      expect((await Effect.runPromise(loadConfig(sources))).modelProvider).toBe("managed");
      const { keys } = await Effect.runPromise(explainConfig(sources));
      expect(keys.find(({ key }) => key === "model_provider")).toMatchObject({
        where: expect.stringMatching(/^com\.openai\.codex:config_toml_base64 in /),
        line: 1,
      });
    });

    it("of the user win over those of the machine", async () => {
      const config = await Effect.runPromise(
        loadConfig(open([requiredProvider("machine"), requiredProvider("user")])),
      );
      expect(config.modelProvider).toBe("user");
    });

    it.each([
      [
        "text that is not base64",
        "<string>allowed_login_methods = []</string>",
        "it is not TOML in base64",
      ],
      ["data", "<data>YQ==</data>", "it is not TOML in base64"],
      ["a number", "<integer>1</integer>", "it is not TOML in base64"],
      ["an empty element", "<true/>", "it is not TOML in base64"],
      ["bytes that are not UTF-8", "<string>/w==</string>", "it is not TOML in base64"],
      ["text that is not TOML", base64("a = ["), "com.openai.codex:requirements_toml_base64 in "],
      ["an unknown rule", base64("allowed_accounts = 1"), "allowed_accounts is a rule"],
    ])("stop everything if they are %s", async (_, value, message) => {
      const error = await Effect.runPromise(
        Effect.flip(loadConfig(open([{ requirements_toml_base64: value }]))),
      );
      expect(error.message).toContain(message);
    });

    it("stop everything if they cannot be printed", async () => {
      const { managedPreferences, ...sources } = open([{}]);
      const broken = { ...managedPreferences, printer: ["/bin/false"] };
      const error = await Effect.runPromise(
        Effect.flip(loadConfig({ ...sources, managedPreferences: broken })),
      );
      expect(error._tag).toBe("ConfigUnreadable");
    });
  },
);
