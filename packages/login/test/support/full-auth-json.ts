/** An `auth.json` with every key that is known, as it is written. */
export const full = `{
  "auth_mode": "chatgpt",
  "OPENAI_API_KEY": null,
  "tokens": {
    "id_token": "a.b.c",
    "access_token": "d.e.f",
    "refresh_token": "rt-1",
    "oauth_provenance": {
      "issuer": "https://auth.example.com",
      "client_id": "app_1"
    },
    "login_owner_id": "owner-1",
    "account_id": "acc-1"
  },
  "last_refresh": "2026-04-13T12:00:00.123456789Z",
  "agent_identity": {
    "workspace_id": "ws-1",
    "agent_runtime_id": "rt-1",
    "agent_private_key": "a2V5",
    "registered_at": "2026-04-13T12:00:00Z"
  },
  "personal_access_token": "at-1"
}`;
