const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\s]+/gu;

/**
 * Foreign text made fit for one line of a log or terminal: runs of control, format and space characters become
 * one space, and at most `maxCharacters` Unicode characters are kept, the last one `…` where text was left out.
 */
export const oneLine = (text: string, maxCharacters: number): string => {
  // Cut by code units first, so that a megabyte is never walked for the sake of a few characters.
  const head = text.slice(0, maxCharacters * 4).toWellFormed();
  const characters = Array.from(head.replace(unprintable, " ").trim());
  const whole = characters.length <= maxCharacters && text.length <= maxCharacters * 4;
  return whole ? characters.join("") : `${characters.slice(0, maxCharacters - 1).join("")}…`;
};

/** The kind of a value, for complaints that must not show the value itself. */
export const kindOf = (value: unknown): string => {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (value === "") return "an empty string";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
};
