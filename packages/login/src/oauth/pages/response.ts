import type { ServerResponse } from "node:http";
import { PAGE_CONTENT_SECURITY_POLICY } from "./style.ts";
import type { Page } from "./render.ts";

const everywhere = {
  "cache-control": "no-store",
  connection: "close",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
} as const;

/** Sends a page that may load nothing, be framed by nobody and be kept by no cache. */
export const sendPage = (response: ServerResponse, page: Page): void => {
  response.writeHead(page.status, {
    ...everywhere,
    "content-security-policy": PAGE_CONTENT_SECURITY_POLICY,
    "content-type": "text/html; charset=utf-8",
    "x-frame-options": "DENY",
    ...(page.status === 405 && { allow: "GET" }),
  });
  response.end(page.html);
};

export const sendRedirect = (response: ServerResponse, location: string): void => {
  response.writeHead(302, { ...everywhere, location }).end();
};

export const sendNothing = (response: ServerResponse): void => {
  response.writeHead(204, everywhere).end();
};
