import { makeBench } from "@agent-auth/tools/bench";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { benchClients } from "./clients.ts";
import { prepareCodex } from "./codex.ts";
import { benchStdio } from "./stdio.ts";

const bench = makeBench("app-server");
const home = await mkdtemp(join(tmpdir(), "app-server-bench-"));
await writeFile(join(home, "auth.json"), '{"OPENAI_API_KEY":"sk-bench"}', { mode: 0o600 });
const codex = prepareCodex();
if ("missing" in codex) console.log(`codex app-server 0.171 is not measured: ${codex.missing}`);
try {
  await benchStdio(bench, home, codex);
  await benchClients(bench, home);
} finally {
  if (!("missing" in codex)) codex.close();
  await rm(home, { recursive: true });
}
bench.report();
