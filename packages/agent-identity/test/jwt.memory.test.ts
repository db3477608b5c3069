import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const run = promisify(execFile);

// The token is composed at run time, so that only a token left in memory contains its parts.
const program = `
  import { getHeapSnapshot } from "node:v8";
  import * as Effect from "effect/Effect";
  import { decodeUnverifiedAgentIdentityJwt } from "@agent-auth/agent-identity/jwt";
  const encode = (text) => Buffer.from(text).toString("base64url");
  const payload = (marks) => JSON.stringify({ filler: ["ca", "na", "ry"].join("").repeat(marks) });
  const decoded = (() => {
    const header = encode(JSON.stringify({ alg: "RS256", kid: "key-1" }));
    const jwt = [header, encode(payload(200)), "AAAA"].join(".");
    return Effect.runSyncExit(decodeUnverifiedAgentIdentityJwt(jwt))._tag;
  })();
  gc();
  let snapshot = "";
  for await (const chunk of getHeapSnapshot()) snapshot += chunk;
  const needle = encode(payload(20)).slice(40, 120);
  console.log(JSON.stringify({ decoded, kept: snapshot.split(needle).length - 1 }));`;

describe("a decoded token", () => {
  it("is not kept in memory", async () => {
    const flags = ["--expose-gc", "--conditions=@agent-auth/source", "--input-type=module"];
    const { stdout } = await run(process.execPath, [...flags, "--eval", program], {
      cwd: new URL("..", import.meta.url),
    });
    expect(JSON.parse(stdout)).toEqual({ decoded: "Failure", kept: 0 });
  });
});
