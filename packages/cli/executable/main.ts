// npm run executable [-- --target <os>-<arch>[-musl] | all] [--deb]: compiles the built program and Bun into one file for each target,
// dist/agent-auth-<os>-<arch>[-musl][.exe], with its bill of materials (CycloneDX) and SHA256SUMS beside it;
// with --deb, also Debian packages.
import { createHash } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeDeb } from "../install/deb.ts";
import { compile, rehearse } from "./compile.ts";
import { licenseTexts } from "./licenses.ts";
import { root } from "./packages.ts";
import { makeSboms } from "./sbom.ts";
import { stage } from "./stage.ts";
import { hostTarget, type Target, targetsOf, UsageProblem } from "./targets.ts";

const output = join(root, "dist");
// Outside of the repository, whose package.json files Bun would read.
const work = mkdtempSync(join(tmpdir(), "agent-auth-build-"));
process.once("exit", () => rmSync(work, { recursive: true, force: true }));
const program = join(work, "program");
const { version }: { readonly version: string } = JSON.parse(
  readFileSync(join(root, "packages/cli/package.json"), "utf8"),
);

const sha256 = (path: string): string =>
  createHash("sha256").update(readFileSync(path)).digest("hex");

/** What the host's executable calls first; the same for all targets, since their code is the same. */
const makeOrder = (): string => {
  stage(program, hostTarget());
  const executable = join(work, hostTarget().file);
  compile({ folder: program, target: hostTarget(), output: executable });
  return rehearse(executable, work);
};

const debianArchitectures = new Map([
  ["linux-x64", "amd64"],
  ["linux-arm64", "arm64"],
]);

const build = (wanted: readonly Target[], withDeb: boolean): void => {
  mkdirSync(output, { recursive: true });
  const order = makeOrder();
  const sbomOf = makeSboms(version);
  for (const target of wanted) {
    stage(program, target);
    const path = join(output, target.file);
    compile({ folder: program, target, output: path, order });
    writeFileSync(`${path}.cdx.json`, sbomOf(target, sha256(path)));
    console.log(`dist/${target.file}  ${(statSync(path).size / 1e6).toFixed(0)} MB`);
  }
  const licenses = join(output, "agent-auth-third-party-licenses.txt");
  writeFileSync(licenses, licenseTexts(wanted[0] ?? hostTarget()));
  if (withDeb) {
    for (const target of wanted) {
      const architecture = debianArchitectures.get(target.name);
      if (architecture === undefined) continue;
      const file = `agent-auth_${version}_${architecture}.deb`;
      const paths = { executable: join(output, target.file), output: join(output, file) };
      makeDeb({ version, architecture, licenses, ...paths });
      console.log(`dist/${file}`);
    }
  }
  const files = readdirSync(output).filter((file) => file.startsWith("agent-auth"));
  const sums = files.toSorted().map((file) => `${sha256(join(output, file))}  ${file}\n`);
  writeFileSync(join(output, "SHA256SUMS"), sums.join(""));
};

try {
  const args = process.argv.slice(2);
  build(targetsOf(args.filter((word) => word !== "--deb")), args.includes("--deb"));
} catch (error) {
  if (!(error instanceof UsageProblem)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
