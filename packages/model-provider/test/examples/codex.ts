import { Codex } from "@openai/codex-sdk";

const codex = new Codex({
  config: {
    model_provider: "agent_auth",
    model_providers: {
      agent_auth: {
        name: "agent-auth",
        base_url: process.env["AGENT_AUTH_PROXY"] ?? "http://127.0.0.1:8787", // where `agent-auth proxy` listens
        wire_api: "responses",
      },
    },
  },
});

const thread = codex.startThread({ skipGitRepoCheck: true, model: "gpt-5.2-codex" });
const turn = await thread.run("two and two?");
console.log(turn.finalResponse);
