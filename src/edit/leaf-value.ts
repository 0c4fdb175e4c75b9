import { encodeText } from '../bytes/byte-writer.ts';
import { badArgument, printable } from '../bytes/diagnostic.ts';
import { viewOf } from '../bytes/view.ts';
import { scalarTypes } from '../vmsd/scalars.ts';

/** A value as `dump --ndjson` writes it: docs/ndjson.md. Null is one that was not held. */
export type WrittenValue = number | boolean | string | null;

const HEX = /^(?:[0-9a-f]{2})*$/i;
/** Longer ones than any fit, which are told the range. */
const INTEGER = /^-?(?:0x[0-9a-f]{1,64}|\d{1,64})$/i;
const MAC_ADDRESS = /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/i;
const CAPABILITY = 'capability';

/**
 * The bytes of a leaf that has this type and value: integers as numbers or as decimal text, `bool` as true or false, a
 * capability as its name, all else as hex digits. Throws DecodeError `bad-argument` where the value does not fit.
 */
export function leafBytes(type: string, value: Exclude<WrittenValue, null>): Uint8Array {
  const scalar = scalarTypes.get(type);
  if (scalar) {
    const isRightKind = type === 'bool' ? typeof value === 'boolean' : typeof value !== 'boolean';
    if (!isRightKind) throw badArgument(`${JSON.stringify(value)} is no value of type ${printable(type)}`);
    return scalarBytes(type, integer(value));
  }
  if (typeof value !== 'string')
    throw badArgument(
      `${JSON.stringify(value)} is no value of type ${printable(type)}: hex digits are expected`,
    );
  return type === CAPABILITY ? capabilityBytes(value) : hexBytes(value);
}

/**
 * The bytes that a person means with a text for a leaf of a type and length: integers in decimal or as `0x…`, `true` and
 * `false`, a capability's name, bytes as hex digits (with or without `0x` or colons between them, as in a MAC address).
 * Undefined for what is none of that. Throws DecodeError `bad-argument` for what does not fit: the message has the range.
 */
export function leafBytesOf(type: string, length: number, text: string): Uint8Array | undefined {
  const scalar = scalarTypes.get(type);
  if (type === 'bool' && (text === 'true' || text === 'false'))
    return scalarBytes(type, text === 'true' ? 1n : 0n);
  if (scalar) return INTEGER.test(text) ? scalarBytes(type, integer(text)) : undefined;
  if (type === CAPABILITY) return capabilityBytes(text);
  const digits = MAC_ADDRESS.test(text) ? text.replaceAll(':', '') : text.replace(/^0x/i, '');
  if (!HEX.test(digits)) return undefined;
  const bytes = hexBytes(digits);
  checkLength(bytes, length, type);
  return bytes;
}

/** Throws DecodeError `bad-argument` where bytes are not as many as a leaf has. */
export function checkLength(bytes: Uint8Array, length: number, type: string): void {
  if (bytes.byteLength !== length)
    throw badArgument(`${bytes.byteLength} bytes for a ${printable(type)} of ${length} bytes`);
}

function integer(value: number | boolean | string): bigint {
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw badArgument(`${value} is no integer`);
    return BigInt(value);
  }
  if (!INTEGER.test(value)) throw badArgument(`'${printable(value).slice(0, 40)}' is no integer`);
  return value.startsWith('-') ? -BigInt(value.slice(1)) : BigInt(value);
}

function scalarBytes(type: string, value: bigint): Uint8Array {
  const { size, minimum, maximum, write } = scalarTypes.get(type)!;
  if (value < minimum || value > maximum)
    throw badArgument(`${value} is no ${printable(type)}: ${minimum} to ${maximum} are possible`);
  const bytes = new Uint8Array(size);
  write(viewOf(bytes), 0, value);
  return bytes;
}

function hexBytes(digits: string): Uint8Array {
  if (!HEX.test(digits)) throw badArgument(`'${printable(digits.slice(0, 40))}' is not bytes in hex digits`);
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) =>
    Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16),
  );
}

/** migration/savevm.c, put_capability. */
function capabilityBytes(name: string): Uint8Array {
  const encoded = encodeText(name);
  if (encoded.length > 0xff)
    throw badArgument(`a capability of ${encoded.length} characters; 255 are possible`);
  return Uint8Array.of(encoded.length, ...encoded);
}
