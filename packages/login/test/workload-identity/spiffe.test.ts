import { join } from "node:path";
import type { TestAuthority } from "@agent-auth/test-authority";
import * as Effect from "effect/Effect";
import { describe, expect, it, onTestFinished } from "vitest";
import { withManager } from "../manager/fixture.ts";
import { openFileIdentity } from "./fixture.ts";

const audience = "https://api.openai.com/v1";
const app = "spiffe://example.test/app";
const other = "spiffe://example.test/other";

const open = async (
  options: Parameters<TestAuthority["serveWorkloadApi"]>[1] = {},
  variables: Readonly<Record<string, string>> = {},
) => {
  const setup = await openFileIdentity();
  const socket = join(setup.home.path, "agent.sock");
  const api = await setup.authority.serveWorkloadApi(socket, options);
  onTestFinished(() => api.close());
  const env = {
    OPENAI_FEDERATION_RULE_ID: setup.rule,
    OPENAI_IDENTITY_TOKEN_SOURCE: "spiffe",
    SPIFFE_ENDPOINT_SOCKET: `unix://${socket}`,
    OPENAI_SPIFFE_AUDIENCE: audience,
    ...variables,
  };
  return { ...setup, env, api, socket };
};

type Setup = Awaited<ReturnType<typeof open>>;

const load = async (setup: Setup) => (await withManager(setup, (manager) => manager.current))._tag;
const failure = (setup: Setup) => withManager(setup, (manager) => Effect.flip(manager.current));

describe.skipIf(process.platform === "win32")("a SPIFFE Workload API", () => {
  it("is asked for one JWT-SVID, as the specification says", async () => {
    const setup = await open();
    expect(await load(setup)).toBe("Some");
    expect(setup.api.requests).toEqual([
      {
        path: "/SpiffeWorkloadAPI/FetchJWTSVID",
        headers: expect.objectContaining({
          ":authority": "localhost",
          "content-type": "application/grpc",
          "workload.spiffe.io": "true",
        }),
        audience: [audience],
        spiffeId: "",
      },
    ]);
    expect(setup.authority.count("workloadExchange")).toBe(1);
  });

  it("may be named without slashes after unix:", async () => {
    const setup = await open();
    const env = { ...setup.env, SPIFFE_ENDPOINT_SOCKET: `unix:${setup.socket}` };
    expect(await load({ ...setup, env })).toBe("Some");
  });

  it("is asked for one of several ids", async () => {
    const setup = await open({ spiffeIds: [app, other] }, { OPENAI_SPIFFE_ID: other });
    expect(await load(setup)).toBe("Some");
    expect(setup.api.requests[0]?.spiffeId).toBe(other);
  });

  it("may return more than it was asked for", async () => {
    const spiffeIds = [app, other];
    const setup = await open({ spiffeIds, returnsAll: true }, { OPENAI_SPIFFE_ID: app });
    expect(await load(setup)).toBe("Some");
  });

  it("must not leave the choice to us", async () => {
    const setup = await open({ spiffeIds: [app, other] });
    expect((await failure(setup)).message).toBe(
      "the SPIFFE Workload API returned multiple JWT-SVIDs; configure an explicit SPIFFE ID",
    );
  });

  it.each([
    [7, "permission denied"],
    [12, "unimplemented"],
  ])("that answers with status %i is reported", async (status, words) => {
    const setup = await open({ status });
    const error = await failure(setup);
    expect(error.message).toBe(
      `the SPIFFE Workload API rejected the request with gRPC status ${words}`,
    );
    expect(setup.authority.requests).toEqual([]);
  });

  it("that is not there is reported, and may be there later", async () => {
    const setup = await open();
    await setup.api.close();
    const error = await failure(setup);
    expect(error.message).toBe("the SPIFFE Workload API is unavailable or timed out");
    expect(error.remedy).toBe("retry");
  });

  it("must issue the token for the audience that was asked for", async () => {
    const setup = await open({ audience: "another" });
    expect((await failure(setup)).message).toBe("the workload identity assertion is invalid");
  });

  it.each([
    ["http://127.0.0.1:1/", "an http URL"],
    ["unix://relative/path", "a relative path"],
    ["unix:", "no path"],
    ["tcp://127.0.0.1:1", "a TCP address"],
  ])("cannot be at %s: %s", async (SPIFFE_ENDPOINT_SOCKET) => {
    const setup = await open({}, { SPIFFE_ENDPOINT_SOCKET });
    expect((await failure(setup)).message).toBe(
      "the SPIFFE Workload API endpoint must be an absolute unix: socket URI",
    );
  });

  it.each(["example.test/app", "spiffe://Example.test/app", "spiffe://example.test/app?x"])(
    "is not asked for the invalid id %s",
    async (OPENAI_SPIFFE_ID) => {
      const setup = await open({}, { OPENAI_SPIFFE_ID });
      expect((await failure(setup)).message).toBe("the requested SPIFFE ID is invalid");
      expect(setup.api.requests).toEqual([]);
    },
  );
});
