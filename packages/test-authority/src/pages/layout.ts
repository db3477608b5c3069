import { createHash } from "node:crypto";
import type { HttpResponse } from "../http/response.ts";

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text that is safe between tags and in quoted attributes. */
export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => entities[character] ?? "");

const style = `
:root { color-scheme: light dark; }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem;
  font: 1rem/1.5 system-ui, sans-serif; background: light-dark(#f4f4f5, #18181b); color: light-dark(#18181b, #f4f4f5); }
main { width: 100%; max-width: 26rem; padding: 1.5rem; border-radius: .75rem;
  background: light-dark(#fff, #27272a); border: 1px solid light-dark(#d4d4d8, #3f3f46); }
h1 { margin: 0 0 .5rem; font-size: 1.375rem; line-height: 1.25; }
p { margin: 0 0 1rem; }
.note { font-size: .875rem; color: light-dark(#52525b, #d4d4d8); overflow-wrap: anywhere; }
.problem { padding: .5rem .75rem; border-left: 4px solid light-dark(#b91c1c, #f87171); }
fieldset { margin: 0 0 1rem; padding: 0; border: 0; }
legend, .field { display: block; padding: 0; margin-bottom: .25rem; font-weight: 600; }
.choice { display: flex; gap: .75rem; align-items: start; padding: .5rem 0; overflow-wrap: anywhere; }
.choice input { margin-top: .35rem; }
.choice span span { display: block; }
input[type=text] { width: 100%; padding: .625rem .75rem; margin-bottom: 1rem; font: inherit; letter-spacing: .1em;
  border-radius: .5rem; border: 1px solid light-dark(#71717a, #a1a1aa); background: transparent; color: inherit; }
.actions { display: flex; flex-wrap: wrap; gap: .75rem; }
button { flex: 1 1 8rem; min-height: 2.75rem; padding: .5rem 1rem; font: inherit; font-weight: 600; cursor: pointer;
  border-radius: .5rem; border: 1px solid light-dark(#1d4ed8, #93c5fd); background: transparent; color: light-dark(#1d4ed8, #93c5fd); }
button.main { background: light-dark(#1d4ed8, #93c5fd); color: light-dark(#fff, #172554); }
:focus-visible { outline: 3px solid light-dark(#1d4ed8, #93c5fd); outline-offset: 2px; }
`;

const styleHash = createHash("sha256").update(style).digest("base64");

/** A page without scripts or external resources, not cached. `body` is HTML, `title` is text. */
export const page = (status: number, title: string, body: string): HttpResponse => ({
  status,
  headers: {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "content-security-policy": `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; frame-ancestors 'none'`,
  },
  body: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} · Test authority</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
${body}
</main>
</body>
</html>
`,
});

/** A page with a message. */
export const messagePage = (status: number, title: string, text: string): HttpResponse =>
  page(status, title, `<p>${escapeHtml(text)}</p>`);
