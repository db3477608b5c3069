// Two messages of the SPIFFE Workload API (workload.proto) in protobuf's wire format: strings and nested messages only,
// so that no schema has to be parsed.

/** `JWTSVID`. */
export interface JwtSvid {
  readonly spiffeId: string;
  readonly token: string;
}

const lengthDelimited = 2;

/** `JWTSVIDRequest`: `repeated string audience = 1; string spiffe_id = 2`. */
export const encodeJwtSvidRequest = (request: {
  readonly audience: string;
  readonly spiffeId: string;
}): Buffer =>
  Buffer.concat([
    field(1, request.audience),
    ...(request.spiffeId === "" ? [] : [field(2, request.spiffeId)]),
  ]);

const field = (number: number, text: string): Buffer => {
  const bytes = Buffer.from(text);
  return Buffer.concat([varint((number << 3) | lengthDelimited), varint(bytes.length), bytes]);
};

const varint = (value: number): Buffer => {
  const bytes: Array<number> = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
};

/** `JWTSVIDResponse`: `repeated JWTSVID svids = 1`. Throws `RangeError` if the bytes are not such a message. */
export const decodeJwtSvids = (bytes: Buffer): ReadonlyArray<JwtSvid> =>
  fieldsOf(bytes)
    .filter(({ number }) => number === 1)
    .map(({ value }) => {
      const members = fieldsOf(value);
      const text = (wanted: number): string =>
        members.findLast(({ number }) => number === wanted)?.value.toString("utf8") ?? "";
      return { spiffeId: text(1), token: text(2) };
    });

/** The fields of a message; those of other types than bytes are skipped. */
const fieldsOf = (
  bytes: Buffer,
): ReadonlyArray<{ readonly number: number; readonly value: Buffer }> => {
  const fields: Array<{ number: number; value: Buffer }> = [];
  let at = 0;
  const take = (length: number): Buffer => {
    if (at + length > bytes.length) throw new RangeError("the message is cut off");
    return bytes.subarray(at, (at += length));
  };
  const readVarint = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const [byte = 0] = take(1);
      value += (byte & 127) * factor;
      if (byte < 128) return value;
      if (factor > 2 ** 49) throw new RangeError("a number is too long");
    }
  };
  while (at < bytes.length) {
    const tag = readVarint();
    const number = Math.floor(tag / 8);
    switch (tag % 8) {
      case 0:
        readVarint();
        break;
      case 1:
        take(8);
        break;
      case lengthDelimited:
        fields.push({ number, value: take(readVarint()) });
        break;
      case 5:
        take(4);
        break;
      default:
        throw new RangeError("an unknown wire type");
    }
  }
  return fields;
};
