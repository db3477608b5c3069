#!/bin/sh
# A CI job that sends one model request as an agent.
# AGENT_JWT is the agent identity, from the CI system's secrets. Nothing is written to disk.
set -eu

# Fails early, with the reason on stderr, if the token is expired or was not signed by the backend.
printf '%s' "$AGENT_JWT" | agent-auth verify >/dev/null

export CODEX_ACCESS_TOKEN="$AGENT_JWT"
if agent-auth api responses -d '{"model":"gpt-5.2-codex","input":"Summarize the last commit."}' >response.json; then
  echo "response.json written"
else
  status=$?
  [ "$status" -ne 4 ] || echo "the token was rejected: put a new one into the secret AGENT_JWT" >&2
  exit "$status"
fi
