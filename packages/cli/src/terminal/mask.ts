/**
 * A secret as it may be shown: `***` up to 13 characters, else the first 8, `***` and the last 5. Characters are
 * Unicode code points, so none is ever split.
 */
export const mask = (secret: string): string => {
  const characters = Array.from(secret);
  if (characters.length <= 13) return "***";
  return `${characters.slice(0, 8).join("")}***${characters.slice(-5).join("")}`;
};
