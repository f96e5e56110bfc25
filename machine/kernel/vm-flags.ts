/** include/linux/mm.h: vm_flags of a mapping. */

export const VM_READ = 1;
export const VM_WRITE = 2;
export const VM_EXEC = 4;
export const VM_SHARED = 8;
export const VM_LOCKED = 16;
export const VM_NORESERVE = 32;
export const VM_ACCOUNT = 64;
export const VM_HUGEPAGE = 128;
export const VM_NOHUGEPAGE = 256;
export const VM_DONTCOPY = 512;
export const VM_WIPEONFORK = 1024;
export const VM_PFNMAP = 2048;
export const VM_STACK = 4096;
export const VM_HUGETLB = 8192;
export const VM_SEQ_READ = 16384;
export const VM_RAND_READ = 32768;
/** The process's break and its .bss: shown as [heap]. */
export const VM_HEAP = 65536;
