/**
 * The memory of a program as machine code sees it before it runs: all that analysing code needs of a binary. Addresses
 * are those of the loaded program. The memory is little endian.
 */
export interface MachineImage {
  /** Up to `length` bytes from `address`, fewer where the mapping ends; undefined outside. The caller leaves them alone. */
  read(address: number, length: number): Uint8Array | undefined;
  /** The address that the word at `address` holds after relocation; undefined where that word is no pointer. */
  pointerAt(address: number): number | undefined;
  /** Whether the byte at `address` can be written once the program runs (`.data`, `.bss`; not what RELRO protects). */
  isReadOnly(address: number): boolean;
  /** Name of the library symbol whose address the dynamic loader puts into the word at `address`. */
  importAt(address: number): string | undefined;
}
