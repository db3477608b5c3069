/** Why a system call failed: in words for the frequent reasons, else the code. */
export const systemReason = (error: unknown): string => {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
  return words[code] ?? code;
};

const words: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EADDRINUSE: "the address is in use",
  EADDRNOTAVAIL: "this machine does not have that address",
  EISDIR: "it is a folder",
  ENOENT: "there is no such file",
  ENOTDIR: "part of the path is not a folder",
  EROFS: "the file system is read-only",
};
