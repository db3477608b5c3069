// 2,000 requests that all meet a 401 at once, over a real auth manager and test-authority: one task registration.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startTestAuthority } from "@agent-auth/test-authority";
import type { makeBench } from "@agent-auth/tools/bench";
import { createModelProvider } from "../src/promises/index.ts";

const requests = 2000;

export const benchRecovery = async (bench: ReturnType<typeof makeBench>): Promise<void> => {
  await using authority = await startTestAuthority();
  const codexHome = await mkdtemp(join(tmpdir(), "bench-recovery-"));
  await using client = await createModelProvider({
    codexHome,
    variables: { CODEX_ACCESS_TOKEN: await authority.mintAgentIdentityJwt() },
    configOverrides: [`chatgpt_base_url=${JSON.stringify(authority.chatgptBaseUrl)}`],
    environmentCredentials: true,
  });
  await client.headers();
  authority.revokeTask();
  const registered = authority.count("registerTask");
  const start = performance.now();
  const statuses = await Promise.all(
    Array.from({ length: requests }, async () => {
      const response = await client.fetch("/models");
      await response.arrayBuffer();
      return response.status;
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  const recoveries = authority.count("registerTask") - registered;
  const accepted = statuses.filter((status) => status === 200).length;
  bench.record(
    "2,000 concurrent requests meet a 401",
    `${recoveries} recovery, ${accepted} accepted, ${seconds.toFixed(1)} s`,
    "1 recovery",
    recoveries === 1 && accepted === requests,
  );
  await rm(codexHome, { recursive: true });
};
