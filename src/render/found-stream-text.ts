import { printable } from '../bytes/diagnostic.ts';
import { hexOffset } from '../bytes/range.ts';
import type { FoundStream } from '../ops/find-streams.ts';

/** A line of what `scan` prints. */
export function foundStreamText({ offset, plausible, machineType, firstSection }: FoundStream): string {
  const start = hexOffset(offset).padEnd(14);
  if (!plausible) return `${start}  magic and version, but no record behind them`;
  if (machineType !== undefined) return `${start}  ${printable(machineType)}`;
  return `${start}  machine type not sent${firstSection === undefined ? '' : `; begins with ${printable(firstSection)}`}`;
}
