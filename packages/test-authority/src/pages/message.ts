import type { HttpResponse } from "../response.ts";
import { escapeHtml, page } from "./layout.ts";

/** A page that only says something. */
export const messagePage = (status: number, title: string, text: string): HttpResponse =>
  page(status, title, `<p>${escapeHtml(text)}</p>`);
