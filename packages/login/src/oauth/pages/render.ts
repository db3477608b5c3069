import type { ServerResponse } from "node:http";
import { pageContentSecurityPolicy, pageStyle } from "./style.ts";

/** A complete page of the callback server, which loads no other resource. */
export interface Page {
  readonly status: number;
  readonly html: string;
}

/** The texts of a page, not yet escaped. */
export interface PageContent {
  readonly status: number;
  readonly tone: "good" | "bad" | "calm";
  readonly icon: keyof typeof icons;
  readonly title: string;
  readonly paragraphs: ReadonlyArray<string>;
  /** Facts to quote when asking for help. */
  readonly details?: ReadonlyArray<Detail>;
}

export interface Detail {
  readonly term: string;
  readonly values: ReadonlyArray<string>;
  /** Ids and codes, in a monospaced font, in which `0` and `O` differ. */
  readonly isCode?: boolean;
}

const icons = {
  check: '<path d="M5 12.5 10 17.5 19.5 7"/>',
  cross: '<path d="M6.5 6.5 17.5 17.5M17.5 6.5 6.5 17.5"/>',
  lock: '<rect x="5" y="11" width="14" height="9" rx="2"/><path d="M8 11V8a4 4 0 0 1 8 0v3"/>',
  notice: '<path d="M12 6.5V13"/><path d="M12 17.25v.01"/>',
  pause: '<path d="M9 7v10M15 7v10"/>',
} as const;

/** Returns a page as HTML. Every text is escaped. */
export const renderPage = (content: PageContent, applicationName: string): Page => ({
  status: content.status,
  html: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${escapeHtml(content.title)} · ${escapeHtml(applicationName)}</title>
<style>${pageStyle}</style>
</head>
<body>
<main class="${content.tone}">
<div class="sign" aria-hidden="true"><svg viewBox="0 0 24 24">${icons[content.icon]}</svg></div>
<h1>${escapeHtml(content.title)}</h1>
${content.paragraphs.map((text) => `<p>${escapeHtml(text)}</p>`).join("\n")}
${renderDetails(content.details ?? [])}</main>
<footer>${escapeHtml(applicationName)}</footer>
</body>
</html>
`,
});

const renderDetails = (details: ReadonlyArray<Detail>): string => {
  if (details.length === 0) return "";
  const rows = details.map(({ term, values, isCode = false }) => {
    const opening = isCode ? '<dd class="code">' : "<dd>";
    const lines = values.map((value) => `${opening}${escapeHtml(value)}</dd>`);
    return `<dt>${escapeHtml(term)}</dt>\n${lines.join("\n")}`;
  });
  return `<dl>\n${rows.join("\n")}\n</dl>\n`;
};

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Escapes a text for HTML content and attribute values. */
export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => entities[character] ?? character);

const commonHeaders = {
  "cache-control": "no-store",
  connection: "close",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
} as const;

/** Sends a page that may not load anything, be framed or be cached. */
export const sendPage = (response: ServerResponse, page: Page): void => {
  response.writeHead(page.status, {
    ...commonHeaders,
    "content-security-policy": pageContentSecurityPolicy,
    "content-type": "text/html; charset=utf-8",
    "x-frame-options": "DENY",
    ...(page.status === 405 && { allow: "GET" }),
  });
  response.end(page.html);
};

export const sendRedirect = (response: ServerResponse, location: string): void => {
  response.writeHead(302, { ...commonHeaders, location }).end();
};

export const sendNoContent = (response: ServerResponse): void => {
  response.writeHead(204, commonHeaders).end();
};
