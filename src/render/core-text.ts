import { printable } from '../bytes/diagnostic.ts';
import { hexOffset } from '../bytes/range.ts';
import type { CorePlan } from '../core/plan.ts';
import { formatSize } from './size.ts';
import { formatTable } from './text-table.ts';

/** A core as data for JSON: addresses and lengths in bytes. */
export function coreSummary({ architecture, format, vcpus, notes, segments, fileLength }: CorePlan) {
  return {
    architecture,
    format,
    vcpus,
    notes: notes.map(({ name, type, content }) => ({ name, type, length: content.length })),
    segments,
    fileLength,
  };
}

/** What is in a core: one line for the CPUs, and a table of the memory. */
export function coreText({ architecture, format, vcpus, notes, segments }: CorePlan): readonly string[] {
  const order = format.littleEndian ? 'little endian' : 'big endian';
  return [
    `${architecture}, ${format.bits} bits, ${order}: ${vcpus} CPU${vcpus === 1 ? '' : 's'}, ${notes.length} note${notes.length === 1 ? '' : 's'}`,
    ...formatTable(
      [
        { title: 'address', align: 'right' },
        { title: 'size', align: 'right' },
        { title: 'offset in block', align: 'right' },
        { title: 'block', align: 'left' },
      ],
      segments.map(({ address, length, offset, block }) => [
        hexOffset(address),
        formatSize(length),
        hexOffset(offset),
        printable(block),
      ]),
    ),
  ];
}
