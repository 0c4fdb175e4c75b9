import { badArgument, printable } from '../bytes/diagnostic.ts';
import { MAX_ADDRESS, type Mapping } from './physical-map.ts';

const ENTRY = /^(?<block>.+)@(?<address>[^@:+]+):(?<length>[^@:+]+)(?:\+(?<offset>[^@:+]+))?$/;
const NUMBER = /^(0x[0-9a-f]{1,16}|\d{1,16})([kmgt]?)$/i;
const UNITS = 'kmgt';

/**
 * Parses `block@address:size[+offset],…`: numbers are decimal, or hexadecimal with 0x, and may end in K, M, G or T.
 * Throws DecodeError `bad-argument`, which says what is wrong; whether the blocks exist is not known here.
 */
export function parseLayoutOption(text: string): readonly Mapping[] {
  const mappings = text.split(',').map(parseEntry);
  const byAddress = mappings.toSorted((a, b) => a.address - b.address);
  for (const [index, { block, address }] of byAddress.entries()) {
    const previous = byAddress[index - 1];
    if (previous && previous.address + previous.length > address) {
      throw badArgument(
        `--layout: ${printable(previous.block)} and ${printable(block)} overlap at 0x${address.toString(16)}`,
      );
    }
  }
  return mappings;
}

function parseEntry(entry: string): Mapping {
  const parts = ENTRY.exec(entry)?.groups;
  if (!parts)
    throw badArgument(
      `--layout: '${printable(entry)}' is not block@address:size or block@address:size+offset`,
    );
  const { block = '', address = '', length = '', offset = '0' } = parts;
  const mapping = {
    block,
    address: parseNumber(address),
    length: parseNumber(length),
    offset: parseNumber(offset),
  };
  if (mapping.length === 0) throw badArgument(`--layout: '${printable(entry)}' has no size`);
  if (mapping.address + mapping.length > MAX_ADDRESS) {
    throw badArgument(`--layout: '${printable(entry)}' ends beyond the largest physical address`);
  }
  return mapping;
}

function parseNumber(text: string): number {
  const match = NUMBER.exec(text);
  const unit = match?.[2] ?? '';
  const value = match ? Number(match[1]) * 1024 ** (unit ? UNITS.indexOf(unit.toLowerCase()) + 1 : 0) : -1;
  if (value < 0 || value > MAX_ADDRESS)
    throw badArgument(`--layout: '${printable(text)}' is no address or size`);
  return value;
}
