/**
 * A word of the command line as a complaint may show it: as it is where it reads like a word or a path, `***` where it
 * could be a key, a token or a password that stands in the wrong place.
 */
export const shownWord = (word: string): string =>
  /^[a-z][a-z./_-]{0,19}$/iu.test(word) && !secretStart.test(word) ? word : "***";

const secretStart = /^(?:sk|at|rt|pk)[._-]|^eyJ/u;
