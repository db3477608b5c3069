import { once } from "node:events";
import { startTestAuthority } from "@agent-auth/test-authority";
import type { TestAuthority } from "@agent-auth/test-authority";
import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import * as z from "zod";
import { assertionHeaders, registerTask } from "./support/agent.ts";

const connect = (authority: TestAuthority, headers: Record<string, string>) =>
  new WebSocket(`${authority.chatgptBaseUrl.replace(/^http/, "ws")}/codex/responses`, { headers });

const Event = z.looseObject({ type: z.string() });

/** Sends one message and collects events until the answer is over. */
const ask = async (socket: WebSocket, message: string) => {
  const events: Array<z.infer<typeof Event>> = [];
  const over = new Promise<void>((resolve) => {
    socket.addEventListener("message", ({ data }) => {
      const event = Event.parse(JSON.parse(z.string().parse(data)));
      events.push(event);
      if (event.type === "response.completed" || event.type === "error") resolve();
    });
  });
  socket.send(message);
  await over;
  return events;
};

const hello = JSON.stringify({ type: "response.create", model: "gpt-5.2", input: "hello" });

describe("a WebSocket at /responses", () => {
  it("streams a reply's events to a valid assertion, and records the upgrade and its messages", async () => {
    await using authority = await startTestAuthority();
    const agent = await authority.mintAgentIdentity();
    const taskId = await registerTask(authority, agent);
    const socket = connect(authority, assertionHeaders(agent, taskId, authority.clock.nowMs()));
    await once(socket, "open");
    const events = await ask(socket, hello);
    expect(events.at(0)?.type).toBe("response.created");
    expect(events.at(-1)?.type).toBe("response.completed");
    socket.close();
    await once(socket, "close");
    expect(authority.requestsTo("responsesSocket")[0]).toMatchObject({
      status: 101,
      messages: [hello],
    });
  });

  it("reports a malformed message and continues", async () => {
    await using authority = await startTestAuthority();
    const socket = connect(authority, { authorization: `Bearer ${authority.addApiKey()}` });
    await once(socket, "open");
    expect(await ask(socket, "{")).toEqual([
      { type: "error", status: 400, error: expect.objectContaining({ code: "invalid_event" }) },
    ]);
    expect((await ask(socket, hello)).at(-1)?.type).toBe("response.completed");
  });

  it("rejects an unauthenticated upgrade with 401, or as steered", async () => {
    await using authority = await startTestAuthority();
    const stranger = connect(authority, { authorization: "Bearer sk-made-up" });
    const [error] = await once(stranger, "error");
    expect(String(error)).toContain("401");
    authority.behave("responsesSocket", { status: 503 }, { times: 1 });
    const steered = connect(authority, { authorization: `Bearer ${authority.addApiKey()}` });
    const [later] = await once(steered, "error");
    expect(String(later)).toContain("503");
    const elsewhere = new WebSocket(authority.url.replace(/^http/, "ws"));
    expect(String((await once(elsewhere, "error"))[0])).toContain("404");
    expect(authority.requestsTo("responsesSocket").map(({ status }) => status)).toEqual([401, 503]);
  });

  it("closes when the authority closes", async () => {
    const authority = await startTestAuthority();
    const socket = connect(authority, { authorization: `Bearer ${authority.addApiKey()}` });
    await once(socket, "open");
    const closed = once(socket, "close");
    await authority.close();
    expect((await closed)[0]).toBe(1006);
  });
});
