/** Lengths and offsets in bytes. */
export interface ReadCore {
  readonly fd: number;
  readonly format: string;
  readonly loads: readonly {
    readonly offset: number;
    readonly virtual: number;
    readonly address: number;
    readonly fileSize: number;
    readonly size: number;
  }[];
  readonly notes: readonly { readonly name: string; readonly kind: number; readonly content: Buffer }[];
  read(offset: number, length: number): Buffer;
}

export function readCore(path: string): ReadCore;
