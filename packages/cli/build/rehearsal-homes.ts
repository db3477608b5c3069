type Files = Readonly<Record<string, string>>;

export type RehearsalHome = "api-key" | "configured" | "chatgpt";

/** CODEX_HOMEs with sign-ins: an API key, with and without configuration, and ChatGPT. */
export const rehearsalHomes = (): Readonly<Record<RehearsalHome, Files>> => ({
  "api-key": { "auth.json": apiKey },
  configured: { "auth.json": apiKey, "config.toml": config },
  chatgpt: { "auth.json": chatgpt(Date.now()) },
});

const apiKey = JSON.stringify({ OPENAI_API_KEY: "sk-proj-1234567890ABCDE" }, null, 2);

const config = `model = "gpt-5"
cli_auth_credentials_store = "file"

[projects."/home/demo/project"]
trust_level = "trusted"
`;

const chatgpt = (nowMs: number): string => {
  const exp = Math.floor(nowMs / 1000) + 86_400;
  const claims = { chatgpt_account_id: "account-demo", chatgpt_plan_type: "pro" };
  const tokens = {
    id_token: jwt({ exp, email: "demo@example.com", "https://api.openai.com/auth": claims }),
    access_token: jwt({ exp, "https://api.openai.com/auth": claims }),
    refresh_token: "demo-refresh-token",
    account_id: "account-demo",
  };
  const last_refresh = new Date(nowMs).toISOString();
  return JSON.stringify({ OPENAI_API_KEY: null, tokens, last_refresh }, null, 2);
};

/** Its signature is not verified here. */
const jwt = (claims: object): string =>
  [{ alg: "RS256", typ: "JWT" }, claims, "signature"]
    .map((part) => Buffer.from(typeof part === "string" ? part : JSON.stringify(part)))
    .map((part) => part.toString("base64url"))
    .join(".");
