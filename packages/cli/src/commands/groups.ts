/** What the commands that share a first word have in common; one line, no full stop. */
export const groupSummaries: Readonly<Record<string, string>> = {
  accounts: "keep several sign-ins side by side",
  assertion: "verify AgentAssertion headers",
};
