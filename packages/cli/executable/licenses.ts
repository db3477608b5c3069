import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { separator } from "../build/third-party-licenses.ts";
import { lockedVersion, packageFolder, root } from "./packages.ts";
import type { Target } from "./targets.ts";

/** Bun's npm packages hold no licence text. */
const bun = (target: Target): string => `Bun ${lockedVersion(target.bunPackage)} (MIT)

Bun is licensed under the MIT licence. It contains JavaScriptCore and parts of WebKit under LGPL-2.1, and other libraries:
https://github.com/oven-sh/bun/blob/main/LICENSE.md lists them and says how to link Bun with another WebKit.
`;

/** Returns the licence texts of everything that executables hold: of what is bundled, jq, the keyring's module, and Bun. */
export const licenseTexts = (target: Target): string => {
  const bundled = readFileSync(join(root, "packages/cli/dist/THIRD-PARTY-LICENSES.txt"), "utf8");
  const packages = ["jq-wasm", "@napi-rs/keyring", target.keyringPackage].flatMap((name) => {
    const folder = packageFolder(name);
    return readdirSync(folder)
      .filter((file) => /^licen[cs]e/iu.test(file))
      .map(
        (file) =>
          `${name} ${lockedVersion(name)}\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`,
      );
  });
  return [bundled, ...packages, bun(target)].join(separator);
};
