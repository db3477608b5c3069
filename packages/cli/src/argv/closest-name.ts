/**
 * Returns the name that a word was probably meant to be; `undefined` if none is similar. At most a third of its letters
 * may be wrong, missing, extra or swapped with their neighbour. Otherwise it is the one name that shares the most parts
 * between dashes with the word, such as `device-auth` for `device`.
 */
export const closestName = (word: string, names: readonly string[]): string | undefined => {
  const unique = [...new Set(names)];
  const limit = Math.max(1, Math.floor(word.length / 3));
  const [closest] = unique
    .map((name) => ({ name, distance: distance(word, name) }))
    .filter((one) => one.distance <= limit)
    .toSorted((a, b) => a.distance - b.distance);
  return closest?.name ?? withMostParts(word, unique);
};

const withMostParts = (word: string, names: readonly string[]): string | undefined => {
  const parts = new Set(word.split("-").filter((part) => part.length > 2));
  const [first, second] = names
    .map((name) => ({ name, shared: name.split("-").filter((part) => parts.has(part)).length }))
    .filter(({ shared }) => shared > 0)
    .toSorted((a, b) => b.shared - a.shared);
  return first?.shared === second?.shared ? undefined : first?.name;
};

/** Optimal string alignment distance. */
const distance = (a: string, b: string): number => {
  if (Math.abs(a.length - b.length) > 8) return Infinity;
  let [before, row]: [number[], number[]] = [[], Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const isSame = a[i - 1] === b[j - 1];
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      next[j] = Math.min(
        (row[j] ?? 0) + 1,
        (next[j - 1] ?? 0) + 1,
        (row[j - 1] ?? 0) + (isSame ? 0 : 1),
        isSwapped ? (before[j - 2] ?? 0) + 1 : Infinity,
      );
    }
    [before, row] = [row, next];
  }
  return row[b.length] ?? Infinity;
};
