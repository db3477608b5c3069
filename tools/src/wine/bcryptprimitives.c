/* Wine 8 lacks this library. Modules that Rust built need this one function of it. */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID to, ULONG bytes);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE to, SIZE_T bytes) {
  return SystemFunction036(to, (ULONG)bytes);
}
