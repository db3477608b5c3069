// Access lists of Windows, in the Security Descriptor Definition Language: "D:P(A;;FA;;;SY)(A;;FA;;;S-1-5-21-…)".

/**
 * The access list of a file with secrets: what mode 0600 is elsewhere. As in a user's profile folder, and for keys of
 * OpenSSH, the system and the administrators keep the access that they could give themselves anyway; backups need it.
 */
export const privateAccessList = (userSid: string): string =>
  `D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;${userSid})`;

/** The system, administrators, and the owner or creator, as abbreviations and as identifiers. */
const trusted: ReadonlySet<string> = new Set(
  "SY BA LA OW CO S-1-5-18 S-1-5-32-544 S-1-3-4 S-1-3-0".split(" "),
);

const names: Readonly<Record<string, string>> = {
  WD: "Everyone",
  "S-1-1-0": "Everyone",
  AU: "Authenticated Users",
  "S-1-5-11": "Authenticated Users",
  BU: "Users",
  "S-1-5-32-545": "Users",
  BG: "Guests",
  "S-1-5-32-546": "Guests",
  IU: "Interactive",
  "S-1-5-4": "Interactive",
};

/** What allows to change a file, or to put files into a folder: data, attributes, deletion, owner and access list. */
const WRITE = 0x500d_0156;

const rightBits: Readonly<Record<string, number>> = {
  GA: 0x1000_0000,
  GW: 0x4000_0000,
  WO: 0x8_0000,
  WD: 0x4_0000,
  SD: 0x1_0000,
  FA: 0x1f_01ff,
  FW: 0x12_0116,
  KA: 0xf_003f,
  KW: 0x2_0006,
  DC: 0x2,
  LC: 0x4,
  RP: 0x10,
  DT: 0x40,
  CR: 0x100,
};

/** Codes of entries that allow something. */
const allowing: ReadonlySet<string> = new Set(["A", "OA", "XA"]);

/**
 * Returns the users and groups, other than the user, the system and administrators, to which an access list gives access: any
 * access, or only what changes the file or folder.
 */
export const othersIn = (
  accessList: string,
  userSid: string,
  access: "any" | "write",
): ReadonlyArray<string> => {
  const list = /D:([^(]*)(.*)/.exec(accessList);
  // Without a list, everyone has every access; an empty list gives none.
  if (list === null || list[1]?.includes("NO_ACCESS_CONTROL") === true) return ["Everyone"];
  // An entry may end with a condition in further parentheses, which counts as fulfilled.
  const found = Array.from((list[2] ?? "").matchAll(/\(([A-Z]+;[^()]*)/g), ([, entry = ""]) => {
    const [kind = "", flags = "", rights = "", , , sid = ""] = entry.split(";");
    const isOther = !trusted.has(sid) && sid !== userSid;
    const counts = access === "any" || (bitsOf(rights) & WRITE) !== 0;
    const isForContent = pairsOf(flags).includes("IO"); // only what is created in the folder inherits it
    return allowing.has(kind) && isOther && counts && !isForContent ? [names[sid] ?? sid] : [];
  });
  return [...new Set(found.flat())];
};

const bitsOf = (rights: string): number =>
  rights.startsWith("0x")
    ? Number(rights)
    : pairsOf(rights).reduce((bits, right) => bits | (rightBits[right] ?? 0), 0);

const pairsOf = (text: string): ReadonlyArray<string> => text.match(/../g) ?? [];
