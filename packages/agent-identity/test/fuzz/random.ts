/** A small seeded generator (xorshift32), so that a run can be repeated with its seed. */
export const makeRandom = (seed: number) => {
  let state = seed | 0 || 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  const below = (limit: number): number => (limit < 1 ? 0 : next() % limit);
  return {
    below,
    pick: <A>(values: readonly [A, ...ReadonlyArray<A>]): A =>
      values[below(values.length)] ?? values[0],
    text: (maxLength: number): string =>
      Array.from({ length: below(maxLength + 1) }, () => String.fromCharCode(below(0x180))).join(
        "",
      ),
  };
};

export type Random = ReturnType<typeof makeRandom>;

/** Fragments that often break parsers. */
const fragments = [
  "", ".", "..", "...", "=", "==", "-", "_", "+", "/", " ", "\n", "\r\n", "\t", "\0", "\u2028", "\ufeff", "\ud800",
  "\u202e", "é", "😀", "{", "}", "[", "]", ",", ":", '"', "\\", '\\"', "\\u0000", "null", "true", "-0", "1e999",
  "9".repeat(400), "__proto__", "constructor", '{"a":1,"a":2}', '"crit":["x"],', '"alg":"none",', "eyJhbGciOiJub25lIn0",
  "[".repeat(500), '{"a":'.repeat(300), "A".repeat(3000), "%2e%2e", "%00", "AgentAssertion ", "Bearer ", "max-age=",
] as const; // oxfmt-ignore

type Change = (text: string, random: Random) => string;
const at = (text: string, random: Random): number => random.below(text.length + 1);

const changes: readonly [Change, ...ReadonlyArray<Change>] = [
  (text) => text,
  (text, random) => text.slice(0, at(text, random)),
  (text, random) => text.slice(at(text, random)),
  (text, random) => {
    const from = at(text, random);
    return text.slice(0, from) + random.pick(fragments) + text.slice(from);
  },
  (text, random) => {
    const from = at(text, random);
    return text.slice(0, from) + String.fromCharCode(random.below(0x100)) + text.slice(from + 1);
  },
  (text, random) => {
    const [one, two] = [at(text, random), at(text, random)];
    return (
      text.slice(0, one) + text.slice(Math.min(one, two), Math.max(one, two)) + text.slice(one)
    );
  },
  (text, random) =>
    text
      .split(".")
      .toSorted(() => random.below(3) - 1)
      .join("."),
  (text, random) =>
    text
      .split(",")
      .toSorted(() => random.below(3) - 1)
      .join(","),
  (_, random) => random.text(300),
  (text, random) => text.repeat(random.below(20)),
];

/** A text with one to four changes. */
export const mutate = (text: string, random: Random): string => {
  let mutated = text;
  for (let nth = random.below(4); nth >= 0; nth -= 1)
    mutated = random.pick(changes)(mutated, random);
  return mutated.slice(0, 100_000);
};

const oddValues = [
  undefined, null, true, 0, -1, 1.5, 4e9, 1e300, "", " ", "x", "a\nb", "é", "..", [], {}, ["codex-app-server"], [null],
  { a: { b: [1] } }, "x".repeat(2000), "none", "HS256", "RS256", "key-1", "key-9", "2026-04-13T12:00:00Z", "hc",
] as const; // oxfmt-ignore

/** A JSON object with one to three of its members replaced, left out or added. */
export const changeMembers = (text: string, random: Random): string => {
  const object: Record<string, unknown> = JSON.parse(text);
  const members = Object.entries(object);
  for (let nth = random.below(3); nth >= 0; nth -= 1) {
    const value = oddValues[random.below(oddValues.length)];
    const name = random.pick([
      "crit",
      "exp",
      "nbf",
      "iat",
      "iss",
      "aud",
      "kid",
      "alg",
      "workspace_id",
      "account_id",
    ]);
    const member = members[random.below(members.length + 1)];
    if (member === undefined) members.push([name, value]);
    else member[1] = value;
  }
  return JSON.stringify(Object.fromEntries(members));
};
