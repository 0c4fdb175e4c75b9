import { readBlob } from '../layout/blob-reader.ts';

/** A description, to be changed into one that QEMU would never write. */
export interface Description {
  [key: string]: unknown;
  devices: { [key: string]: unknown; name: string; fields: unknown[] }[];
}

/** The description at the end of a stream. */
export function descriptionOf(bytes: Uint8Array): Description {
  const { blob } = readBlob(Buffer.from(bytes))!;
  return structuredClone(blob) as unknown as Description;
}

/** The stream with another text in the place of its description; `length` is what its header says. */
export function withDescription(bytes: Uint8Array, text: string, length?: number): Uint8Array {
  const { start } = readBlob(Buffer.from(bytes))!;
  const description = Buffer.from(text);
  const header = Buffer.alloc(5, 6);
  header.writeUInt32BE(length ?? description.length, 1);
  return Buffer.concat([bytes.subarray(0, start), header, description]);
}
