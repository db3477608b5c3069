/* flock(1) for the tests under Wine, by the lock of Rust's File::lock, which Codex takes on Windows:
   LockFileEx over the whole range. "flock FILE ..." prints "held" and holds the lock until its standard input ends.
   "flock -n FILE ..." ends with 0 if the lock is free, and with 1 if it is not. */
#include <windows.h>
#include <stdio.h>
#include <string.h>

int wmain(int count, wchar_t **words) {
  if (count < 2) return 2;
  if (wcscmp(words[1], L"--version") == 0) return 0;
  int is_probe = wcscmp(words[1], L"-n") == 0;
  HANDLE file = CreateFileW(words[is_probe ? 2 : 1], GENERIC_READ | GENERIC_WRITE,
                            FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_ALWAYS, 0, NULL);
  if (file == INVALID_HANDLE_VALUE) return 2;
  OVERLAPPED from_start;
  memset(&from_start, 0, sizeof from_start);
  DWORD flags = LOCKFILE_EXCLUSIVE_LOCK | (is_probe ? LOCKFILE_FAIL_IMMEDIATELY : 0);
  if (!LockFileEx(file, flags, 0, MAXDWORD, MAXDWORD, &from_start)) return 1;
  if (is_probe) return 0;
  printf("held\n");
  fflush(stdout);
  while (getchar() != EOF) {
  }
  return 0;
}
