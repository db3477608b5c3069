const invisible = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu;

/**
 * A text that a server or a browser sent, fit for a terminal line: control, format and bidi characters become one
 * space, secrets that the sender may be echoing become `***`, and the rest is cut to `maxLength` characters.
 * `undefined` where nothing is left.
 */
export const plainText = (
  text: string | null | undefined,
  options: { readonly maxLength?: number; readonly secrets?: ReadonlyArray<string> } = {},
): string | undefined => {
  let plain = text ?? "";
  for (const secret of options.secrets ?? []) {
    if (secret.length > 0) plain = plain.replaceAll(secret, "***");
  }
  plain = plain.replace(invisible, " ").trim();
  const characters = Array.from(plain);
  const maxLength = options.maxLength ?? 300;
  if (characters.length > maxLength) plain = `${characters.slice(0, maxLength - 1).join("")}…`;
  return plain === "" ? undefined : plain;
};
