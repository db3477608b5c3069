import type { Account } from "../identities/accounts.ts";
import type { HttpResponse } from "../http/response.ts";
import { escapeHtml, page } from "./layout.ts";

/** Contents of the consent page. */
export interface Consent {
  /** Path that the decision is posted to. */
  readonly action: string;
  /** Hidden fields, posted with the decision. */
  readonly hidden: Readonly<Record<string, string>>;
  readonly accounts: ReadonlyArray<Account>;
  /** Workspaces that the client asked for; empty means any. Others are marked, but can be chosen. */
  readonly allowedWorkspaceIds: ReadonlyArray<string>;
  readonly clientId: string;
}

const choice = (account: Account, isPreset: boolean, isAllowed: boolean): string => {
  const note = isAllowed
    ? ""
    : '<span class="note">The program did not ask for this workspace</span>';
  return `<label class="choice">
<input type="radio" name="account" value="${escapeHtml(account.accountId)}"${isPreset ? " checked" : ""}>
<span><span>${escapeHtml(account.workspaceName)}</span>
<span class="note">${escapeHtml(account.email)}, ${escapeHtml(account.planType)}</span>${note}</span>
</label>`;
};

/** The page on which a user chooses a workspace and approves or denies. */
export const consentPage = ({
  action,
  hidden,
  accounts,
  allowedWorkspaceIds,
  clientId,
}: Consent): HttpResponse => {
  const fields = Object.entries(hidden).map(
    ([name, value]) =>
      `<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(value)}">`,
  );
  const isAllowed = ({ accountId }: Account) =>
    allowedWorkspaceIds.length === 0 || allowedWorkspaceIds.includes(accountId);
  const preset = accounts.find(isAllowed) ?? accounts[0];
  const choices = accounts.map((account) =>
    choice(account, account === preset, isAllowed(account)),
  );
  return page(
    200,
    "Sign in to Codex",
    `<p>A program on your computer wants to act on your behalf.</p>
<form method="post" action="${escapeHtml(action)}">
${fields.join("\n")}
<fieldset>
<legend>Workspace</legend>
${choices.join("\n")}
</fieldset>
<div class="actions">
<button class="main" type="submit" name="decision" value="approve">Approve</button>
<button type="submit" name="decision" value="deny">Deny</button>
</div>
</form>
<p class="note">Client ${escapeHtml(clientId)}</p>`,
  );
};
