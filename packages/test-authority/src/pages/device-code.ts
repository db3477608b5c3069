import type { HttpResponse } from "../http/response.ts";
import { escapeHtml, page } from "./layout.ts";

/** The page that asks for the code shown in a terminal. */
export const deviceCodePage = (
  status: number,
  typed: string,
  problem: string | undefined,
): HttpResponse => {
  const alert =
    problem === undefined
      ? ""
      : `<p class="problem" id="problem" role="alert">${escapeHtml(problem)}</p>`;
  const described = problem === undefined ? "" : ' aria-invalid="true" aria-describedby="problem"';
  return page(
    status,
    "Enter your code",
    `<p>Type the code that your terminal shows.</p>
${alert}
<form method="post" action="/codex/device">
<label class="field" for="user_code">Code</label>
<input type="text" id="user_code" name="user_code" value="${escapeHtml(typed)}" required autofocus
  autocomplete="off" autocapitalize="characters" spellcheck="false" placeholder="XXXX-XXXX"${described}>
<div class="actions"><button class="main" type="submit">Continue</button></div>
</form>`,
  );
};
