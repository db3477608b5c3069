import { PAGE_STYLE } from "./style.ts";

/** A page of the callback server: whole, without any resource of its own. */
export interface Page {
  readonly status: number;
  readonly html: string;
}

/** What a page says. Every text is escaped where it is inserted. */
export interface PageContent {
  readonly status: number;
  readonly tone: "good" | "bad" | "calm";
  readonly icon: keyof typeof icons;
  readonly title: string;
  readonly paragraphs: ReadonlyArray<string>;
  /** Facts that help whoever is asked for help. */
  readonly details?: ReadonlyArray<Detail>;
}

export interface Detail {
  readonly term: string;
  readonly values: ReadonlyArray<string>;
  /** Ids and codes, set so that `0` and `O` differ. */
  readonly isCode?: boolean;
}

const icons = {
  check: '<path d="M5 12.5 10 17.5 19.5 7"/>',
  cross: '<path d="M6.5 6.5 17.5 17.5M17.5 6.5 6.5 17.5"/>',
  lock: '<rect x="5" y="11" width="14" height="9" rx="2"/><path d="M8 11V8a4 4 0 0 1 8 0v3"/>',
  notice: '<path d="M12 6.5V13"/><path d="M12 17.25v.01"/>',
  pause: '<path d="M9 7v10M15 7v10"/>',
} as const;

/** Renders a page in the name of `applicationName`. */
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
<style>${PAGE_STYLE}</style>
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

/** A text as HTML content or attribute value. */
export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
