import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { flows, notReplayed } from "./support/flows.ts";
import { replay } from "./support/replay.ts";

describe.each(Object.entries(flows))("%s", (flow, { deviations = [], ...setup }) => {
  it("answers and notifies as Codex 0.171 did, except for the listed deviations", async () => {
    const compared = await replay(flow, {
      ...setup,
      expect: (events) => deviations.reduce((changed, { apply }) => apply(changed), events),
    });
    for (const { actual, conn, expected } of compared)
      expect({ conn, ...actual }).toEqual({ conn, ...expected });
    expect(compared.length).toBeGreaterThan(0);
  });
});

it("every recorded flow is replayed, or listed with the reason why not", () => {
  const recorded = readdirSync(new URL("transcripts", import.meta.url))
    .map((name) => name.replace(/\.json$/, ""))
    .filter((name) => name !== "index");
  expect([...Object.keys(flows), ...Object.keys(notReplayed)].toSorted()).toEqual(
    recorded.toSorted(),
  );
});
