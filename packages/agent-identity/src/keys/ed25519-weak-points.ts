/**
 * The y coordinates (little endian, sign bit clear) of every encoding of a point whose order divides 8 on edwards25519:
 * solutions of y = ±1, y = 0 and d·y⁴ + 2y² = 1, and the two of them that also fit in below 2²⁵⁵ with p added.
 */
const weak: ReadonlySet<string> = new Set([
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]);

/** Whether 32 bytes encode a point of small order, under which a signature proves nothing. */
export const isWeakPoint = (publicKey: Uint8Array): boolean => {
  const y = Buffer.from(publicKey);
  y[31] = (y[31] ?? 0) & 0x7f;
  return weak.has(y.toString("hex"));
};
