import type koffi from "koffi";

type Library = ReturnType<typeof koffi.load>;

/** An error of Windows, with a code of Node's, such as `EACCES`. */
const systemError = (what: string, error: number): Error => {
  const code = codes.get(error) ?? `WINDOWS_${error}`;
  return Object.assign(new Error(`${what}: ${code}`), { code });
};

const codes: ReadonlyMap<number, string> = new Map([
  [2, "ENOENT"],
  [3, "ENOENT"],
  [5, "EACCES"],
  [32, "EBUSY"],
  [80, "EEXIST"],
  [183, "EEXIST"],
]);

/** Functions of Windows that Node does not have. */
export interface WindowsFunctions {
  /** Opens a file for `tryLock`, and creates it if it is missing. Returns its handle. */
  readonly openToLock: (path: string) => number;
  /**
   * Tries to lock the whole range of a file, as Rust's `File::try_lock` does, and so Codex. `busy`: another handle holds
   * it.
   */
  readonly tryLock: (handle: number) => "taken" | "busy" | "unsupported";
  /** Releases the lock as well. */
  readonly close: (handle: number) => void;
  /** Creates an empty file with this access list. Throws `EEXIST` if it exists. */
  readonly createFile: (path: string, accessList: string) => void;
  /** The access list of a file or folder, in the Security Descriptor Definition Language. */
  readonly accessListOf: (path: string) => string;
  /** The security identifier of this process's user. */
  readonly userSid: () => string;
}

const GENERIC_READ_WRITE = 0xc000_0000;
const SHARE_ALL = 7;
const CREATE_NEW = 1;
const OPEN_ALWAYS = 4;
const ATTRIBUTE_NORMAL = 0x80;
const INVALID_HANDLE = -1;
const EXCLUSIVE_AND_IMMEDIATE = 3;
const ALL_BITS = 0xffff_ffff;
/** ERROR_INVALID_FUNCTION, ERROR_NOT_SUPPORTED and ERROR_CALL_NOT_IMPLEMENTED, of file systems without locks. */
const unsupportedCodes: ReadonlySet<number> = new Set([1, 50, 120]);
const DACL = 4;
const FILE_OBJECT = 1;
const TOKEN_QUERY = 8;
const TOKEN_USER = 1;
const CURRENT_PROCESS = -1;

/** Node cannot give its own handles away (its C library is linked statically), so files are opened here. */
const functionsOf = (kernel32: Library, advapi32: Library): WindowsFunctions => {
  const createFile = kernel32.func(
    "intptr_t CreateFileW(str16 path, uint32_t access, uint32_t share, void *security, uint32_t creation, uint32_t flags, intptr_t template)",
  );
  const lockFile = kernel32.func(
    "int LockFileEx(intptr_t file, uint32_t flags, uint32_t reserved, uint32_t low, uint32_t high, void *overlapped)",
  );
  const closeHandle = kernel32.func("int CloseHandle(intptr_t handle)");
  const lastError = kernel32.func("uint32_t GetLastError()");
  const localFree = kernel32.func("intptr_t LocalFree(intptr_t memory)");
  const copy = kernel32.func("void RtlMoveMemory(void *to, intptr_t from, size_t bytes)");
  const length = kernel32.func("int lstrlenW(intptr_t text)");
  const parse = advapi32.func(
    "int ConvertStringSecurityDescriptorToSecurityDescriptorW(str16 text, uint32_t revision, void *descriptor, void *size)",
  );
  const print = advapi32.func(
    "int ConvertSecurityDescriptorToStringSecurityDescriptorW(intptr_t descriptor, uint32_t revision, uint32_t parts, void *text, void *size)",
  );
  const securityOf = advapi32.func(
    "uint32_t GetNamedSecurityInfoW(str16 path, int type, uint32_t parts, void *owner, void *group, void *dacl, void *sacl, void *descriptor)",
  );
  const openToken = advapi32.func(
    "int OpenProcessToken(intptr_t process, uint32_t access, void *token)",
  );
  const tokenInformation = advapi32.func(
    "int GetTokenInformation(intptr_t token, int kind, void *to, uint32_t bytes, void *needed)",
  );
  const printSid = advapi32.func("int ConvertSidToStringSidW(intptr_t sid, void *text)");

  const failed = (what: string): Error => systemError(what, Number(lastError()));
  const open = (path: string, creation: number, security: Buffer | null): number => {
    const flags = [SHARE_ALL, security, creation, ATTRIBUTE_NORMAL, 0] as const;
    const handle = Number(createFile(longPath(path), GENERIC_READ_WRITE, ...flags));
    if (handle === INVALID_HANDLE) throw failed("CreateFileW");
    return handle;
  };
  const close = (handle: number): void => void closeHandle(handle);
  /** Takes a text that a function of Windows has allocated. */
  const take = (pointer: bigint): string => {
    const text = Buffer.alloc(Number(length(pointer)) * 2);
    copy(text, pointer, text.length);
    localFree(pointer);
    return text.toString("utf16le");
  };

  return {
    openToLock: (path) => open(path, OPEN_ALWAYS, null),
    tryLock: (handle) => {
      const range = [0, ALL_BITS, ALL_BITS, Buffer.alloc(32)] as const;
      if (Number(lockFile(handle, EXCLUSIVE_AND_IMMEDIATE, ...range)) !== 0) return "taken";
      // Any other code counts as busy: the caller waits, and then fails instead of continuing without the lock.
      return unsupportedCodes.has(Number(lastError())) ? "unsupported" : "busy";
    },
    close,
    createFile: (path, accessList) => {
      const descriptor = Buffer.alloc(8);
      if (Number(parse(accessList, 1, descriptor, null)) === 0) throw failed("access list");
      const security = Buffer.alloc(24); // SECURITY_ATTRIBUTES
      security.writeUInt32LE(security.length, 0);
      descriptor.copy(security, 8);
      try {
        close(open(path, CREATE_NEW, security));
      } finally {
        localFree(descriptor.readBigInt64LE());
      }
    },
    accessListOf: (path) => {
      const descriptor = Buffer.alloc(8);
      const query = [longPath(path), FILE_OBJECT, DACL, null, null, null, null] as const;
      const error = Number(securityOf(...query, descriptor));
      if (error !== 0) throw systemError("GetNamedSecurityInfoW", error);
      const pointer = descriptor.readBigInt64LE();
      const text = Buffer.alloc(8);
      try {
        if (Number(print(pointer, 1, DACL, text, null)) === 0) throw failed("access list");
        return take(text.readBigInt64LE());
      } finally {
        localFree(pointer);
      }
    },
    userSid: () => {
      const token = Buffer.alloc(8);
      if (Number(openToken(CURRENT_PROCESS, TOKEN_QUERY, token)) === 0)
        throw failed("OpenProcessToken");
      const handle = token.readBigInt64LE();
      try {
        const user = Buffer.alloc(256); // a pointer to the identifier, which follows it
        if (Number(tokenInformation(handle, TOKEN_USER, user, user.length, Buffer.alloc(4))) === 0)
          throw failed("GetTokenInformation");
        const text = Buffer.alloc(8);
        if (Number(printSid(user.readBigInt64LE(), text)) === 0) throw failed("the user");
        return take(text.readBigInt64LE());
      } finally {
        closeHandle(handle);
      }
    },
  };
};

/** A path of more than 259 characters needs the prefix. */
const longPath = (path: string): string =>
  /^[a-z]:\\/i.test(path) && path.length > 247 ? `\\\\?\\${path}` : path;

const load = async (): Promise<WindowsFunctions | undefined> => {
  try {
    const { default: koffi } = await import("koffi");
    return functionsOf(koffi.load("kernel32.dll"), koffi.load("advapi32.dll"));
  } catch {
    return undefined; // not installed, or no binary for this machine
  }
};

/** The functions of Windows; `undefined` if they cannot be reached. */
export const loading: Promise<WindowsFunctions | undefined> = load();
