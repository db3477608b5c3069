import { createHash } from "node:crypto";

/** The style sheet of the sign-in pages: system fonts, light and dark colour scheme, any width. */
export const pageStyle = `
:root{color-scheme:light dark;--paper:#f6f6f4;--card:#fff;--line:#e3e3df;--ink:#1a1b1e;--soft:#5d6066;--wash:#f6f6f4;
--good:#12764a;--good-wash:#e3f4eb;--bad:#b3261e;--bad-wash:#fbe9e7;--calm:#7a5200;--calm-wash:#fbf0d9}
@media (prefers-color-scheme:dark){:root{--paper:#111214;--card:#1a1c1f;--line:#2d3035;--ink:#eeeff1;--soft:#a2a6ad;
--wash:#222529;--good:#6fd6a4;--good-wash:#16342a;--bad:#ff9d94;--bad-wash:#3e1f1d;--calm:#f0c36b;--calm-wash:#3a2e16}}
*{box-sizing:border-box;margin:0}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{min-height:100vh;min-height:100svh;display:flex;flex-direction:column;align-items:center;justify-content:center;
gap:1.25rem;padding:1.5rem 1rem;background:var(--paper);color:var(--ink);
font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{width:100%;max-width:27rem;padding:2.25rem 2rem 2rem;border:1px solid var(--line);border-radius:1rem;
background:var(--card);box-shadow:0 1px 2px #0000000a,0 12px 32px #0000000d}
.sign{display:grid;place-items:center;width:3.25rem;height:3.25rem;margin-bottom:1.25rem;border-radius:50%}
.sign svg{width:1.625rem;height:1.625rem;fill:none;stroke:currentColor;stroke-width:2;stroke-linecap:round;
stroke-linejoin:round}
.good .sign{background:var(--good-wash);color:var(--good)}
.bad .sign{background:var(--bad-wash);color:var(--bad)}
.calm .sign{background:var(--calm-wash);color:var(--calm)}
h1{margin-bottom:.5rem;font-size:1.375rem;line-height:1.3;letter-spacing:-.01em;font-weight:650;text-wrap:balance}
p{color:var(--soft);text-wrap:pretty;overflow-wrap:anywhere}
p+p{margin-top:.75rem}
dl{margin-top:1.25rem;padding:.875rem 1rem;border-radius:.625rem;background:var(--wash);font-size:.875rem}
dt{color:var(--soft)}
dt:not(:first-child){margin-top:.625rem}
dd{overflow-wrap:anywhere}
.code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
footer{color:var(--soft);font-size:.8125rem}
@media (max-width:24rem){body{justify-content:flex-start}main{padding:1.5rem 1.25rem 1.375rem}h1{font-size:1.25rem}}
@media (forced-colors:active){main,.sign{border:1px solid CanvasText}}
@media print{body{background:none}main{box-shadow:none}}
`.trim();

const styleHash = createHash("sha256").update(pageStyle).digest("base64");

/** Allows only this style sheet: no script, image, font, frame, form or connection. */
export const pageContentSecurityPolicy = [
  "default-src 'none'",
  `style-src 'sha256-${styleHash}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");
