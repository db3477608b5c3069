/**
 * The one of some names that a word was probably meant to be: not more than a third of its letters are wrong, missing,
 * superfluous or swapped with their neighbour. `undefined` where none is that near.
 */
export const closestName = (word: string, names: readonly string[]): string | undefined => {
  const limit = Math.max(1, Math.floor(word.length / 3));
  const [nearest] = [...new Set(names)]
    .map((name) => ({ name, distance: distance(word, name) }))
    .filter((one) => one.distance <= limit)
    .toSorted((a, b) => a.distance - b.distance);
  return nearest?.name;
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
