import type { MachineImage } from '../../../src/extract/code/image.ts';

/** What a made-up program holds: hexadecimal digits by address, all of it constant but what is in `variables`. */
export interface CodeParts {
  readonly memory: Readonly<Record<number, string>>;
  /** Address and length of what can be written. */
  readonly variables?: readonly (readonly [number, number])[];
  readonly imports?: Readonly<Record<number, string>>;
}

export function codeImage({ memory, variables = [], imports = {} }: CodeParts): MachineImage {
  const parts = Object.entries(memory).map(([address, digits]) => ({
    start: Number(address),
    bytes: Uint8Array.from(Buffer.from(digits, 'hex')),
  }));
  return {
    read(address, length) {
      const part = parts.find(({ start, bytes }) => address >= start && address < start + bytes.length);
      return part?.bytes.subarray(address - part.start, address - part.start + length);
    },
    pointerAt: () => undefined,
    isReadOnly: (address) =>
      !variables.some(([start, length]) => address >= start && address < start + length),
    importAt: (address) => imports[address],
  };
}
