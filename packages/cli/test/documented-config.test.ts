// The configuration in docs/ and in the READMEs is accepted as it stands: the TOML blocks, and the values of
// AGENT_AUTH_CONFIG in YAML blocks.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfig } from "@agent-auth/login/config";
import { loadEnvironment } from "@agent-auth/login/config/environment";
import { workloadIdentitySettings } from "@agent-auth/login/workload-identity";
import * as Effect from "effect/Effect";
import * as Result from "effect/Result";
import { describe, expect, it } from "vitest";
import { CliHome } from "./support/cli.ts";
import { blocks, readRepository } from "./support/protocol-document.ts";

const pages = [
  "docs/accounts.md",
  "docs/ci.md",
  "docs/company-gateway.md",
  "docs/keep-fresh.md",
  "docs/keyless-ci.md",
  "docs/managed-machines.md",
  "docs/many-hosts.md",
  "docs/proxy.md",
  "docs/self-hosted.md",
  "packages/cli/README.md",
];

/** The text of a variable in YAML, without its indentation. */
const yamlValues = (variable: string, yaml: string): readonly string[] => {
  const lines = yaml.split("\n");
  return lines.flatMap((line, index) => {
    if (line.trim() !== `${variable}: |`) return [];
    const indentation = line.length - line.trimStart().length;
    const value = lines.slice(index + 1);
    const end = value.findIndex((one) => one.length - one.trimStart().length <= indentation);
    return [
      value
        .slice(0, end < 0 ? undefined : end)
        .map((one) => one.trim())
        .join("\n"),
    ];
  });
};

const documented = pages.flatMap((page) => {
  const text = readRepository(page);
  return [
    ...blocks("toml", text),
    ...blocks("yaml", text).flatMap((block) => yamlValues("AGENT_AUTH_CONFIG", block)),
  ].map((toml, index) => ({ name: `${page}, number ${index + 1}`, toml }));
});

const load = async (toml: string) => {
  await using home = await CliHome.make();
  const systemFolder = join(home.path, "system");
  mkdirSync(systemFolder, { mode: 0o755 });
  const isRules = toml.startsWith("# /etc/codex/requirements.toml\n");
  if (isRules) writeFileSync(join(systemFolder, "requirements.toml"), toml, { mode: 0o644 });
  const environment = loadEnvironment(
    { CODEX_HOME: home.path, ...(!isRules && { AGENT_AUTH_CONFIG: toml }) },
    { systemFolder },
  );
  return { environment, config: await Effect.runPromise(loadConfig(environment)) };
};

describe("the configuration in the documentation", () => {
  it.each(documented)("is accepted: $name", async ({ toml }) => {
    const { config, environment } = await load(toml);
    expect(Result.isSuccess(workloadIdentitySettings(environment, config))).toBe(true);
  });

  it("has an example for each source of identity tokens", async () => {
    const sources = await Promise.all(
      documented.map(async ({ toml }) => (await load(toml)).config.workloadIdentity?.source),
    );
    expect(sources.filter((source) => source !== undefined).toSorted()).toEqual([
      "aws-web-identity",
      "azure-federated-token",
      "azure-imds",
      "buildkite",
      "circleci",
      "file",
      "gce",
      "github-actions",
      "gitlab-ci",
      "kubernetes",
      "spiffe",
    ]);
  });
});
