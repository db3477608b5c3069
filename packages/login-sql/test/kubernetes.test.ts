// The manifest of docs/many-hosts.md: the fields that Kubernetes requires, names that refer to each other, and variables
// that the code reads. A field that is not in the schema is refused, as `kubectl apply --validate=strict` does.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnvironment } from "@agent-auth/login/config/environment";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";

const page = readFileSync(join(import.meta.dirname, "../../../docs/many-hosts.md"), "utf8");
const text = page.split("```yaml\n")[1]?.split("```")[0] ?? "";

const secretKey = z.strictObject({ name: z.string(), key: z.string() });
const variable = z.union([
  z.strictObject({ name: z.string(), value: z.string() }),
  z.strictObject({
    name: z.string(),
    valueFrom: z.strictObject({ secretKeyRef: secretKey }),
  }),
]);
const container = z.strictObject({
  name: z.string(),
  image: z.string(),
  env: z.array(variable),
  volumeMounts: z.array(
    z.strictObject({ name: z.string(), mountPath: z.string(), readOnly: z.boolean() }),
  ),
});
const items = z.array(z.strictObject({ key: z.string(), path: z.string() }));
const labels = z.record(z.string(), z.string());
/** `apps/v1` Deployment, the part that the page uses. */
const deployment = z.strictObject({
  apiVersion: z.literal("apps/v1"),
  kind: z.literal("Deployment"),
  metadata: z.strictObject({ name: z.string() }),
  spec: z.strictObject({
    replicas: z.int().positive(),
    selector: z.strictObject({ matchLabels: labels }),
    template: z.strictObject({
      metadata: z.strictObject({ labels }),
      spec: z.strictObject({
        terminationGracePeriodSeconds: z.int().positive(),
        containers: z.array(container).min(1),
        volumes: z.array(
          z.strictObject({
            name: z.string(),
            secret: z.strictObject({ secretName: z.string(), items }),
          }),
        ),
      }),
    }),
  }),
});

describe("the Kubernetes manifest of docs/many-hosts.md", () => {
  const { spec } = deployment.parse(parse(text));
  const { template } = spec;
  const [worker] = template.spec.containers;
  const [volume] = template.spec.volumes;

  it("selects the pods of its template", () => {
    expect(template.metadata.labels).toMatchObject(spec.selector.matchLabels);
  });

  it("mounts the volumes that it has", () => {
    expect(worker?.volumeMounts.map(({ name }) => name)).toEqual([volume?.name]);
  });

  it("sets the variables that select a shared store and its keys, and no others", () => {
    const variables = Object.fromEntries(
      (worker?.env ?? []).map((one) => [one.name, "value" in one ? one.value : "postgres://a@b/c"]),
    );
    const environment = parseEnvironment({ HOME: "/home/worker", ...variables });
    const { keyFile, url } = environment.sharedStore ?? {};
    expect([url !== undefined, keyFile, Object.keys(variables).length]).toEqual([
      true,
      `${worker?.volumeMounts[0]?.mountPath}/${volume?.secret.items[0]?.path}`,
      2,
    ]);
  });

  it("takes both from the secret that the page describes", () => {
    const names = (worker?.env ?? []).flatMap((one) =>
      "valueFrom" in one ? [one.valueFrom.secretKeyRef] : [],
    );
    expect(names).toEqual([{ name: "agent-auth-store", key: "url" }]);
    expect(volume?.secret).toEqual({
      secretName: "agent-auth-store",
      items: [{ key: "store-keys", path: "store-keys" }],
    });
    expect(page).toContain(
      "The secret `agent-auth-store` has `url` (with the password of the role) and `store-keys`.",
    );
  });
});
