// One file: Node with the program in it. The file holds no native packages, so Codex's lock is not taken, of which the
// program warns once.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { inject } from "postject";

mkdirSync("out", { recursive: true });
await build({
  entryPoints: ["../request.mjs"],
  bundle: true,
  platform: "node",
  format: "cjs",
  external: ["koffi", "@napi-rs/keyring", "@grpc/grpc-js"],
  outfile: "out/request.cjs",
  logLevel: "error",
});
const config = {
  main: "out/request.cjs",
  output: "out/request.blob",
  disableExperimentalSEAWarning: true,
};
writeFileSync("out/sea.json", JSON.stringify(config));
execFileSync(process.execPath, ["--experimental-sea-config", "out/sea.json"], { stdio: "ignore" });
// Run elsewhere, as a user does: beside node_modules, the program would find koffi.
const folder = mkdtempSync(join(tmpdir(), "node-sea-"));
const program = join(folder, "request");
copyFileSync(process.execPath, program);
await inject(program, "NODE_SEA_BLOB", readFileSync("out/request.blob"), {
  sentinelFuse: "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2",
});
execFileSync(program, { stdio: "inherit", cwd: folder });
rmSync(folder, { recursive: true });
