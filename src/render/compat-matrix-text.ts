import { printable } from '../bytes/printable.ts';
import type { CompatMatrix, MatrixPair } from '../compat/compare-matrix.ts';
import type { Direction } from '../compat/direction.ts';
import { type Column, formatTable } from './text-table.ts';

const arrows: Readonly<Record<Direction, string>> = { 'old-to-new': 'old → new', 'new-to-old': 'new → old' };

/**
 * A matrix for people: for each direction a grid of the old builds by the new ones, with what breaks and what may; with
 * machine types one for each of them. A dash is where not both have the machine type, or know what it sets.
 */
export function* matrixText(matrix: CompatMatrix, byMachine = false): Generator<string> {
  const machineTypes = byMachine
    ? [...new Set(matrix.pairs.flatMap(({ machines }) => machines.map(({ machineType }) => machineType)))]
    : [undefined];
  let isFirst = true;
  for (const machineType of machineTypes) {
    for (const direction of matrix.directions) {
      if (!isFirst) yield '';
      isFirst = false;
      const of = machineType === undefined ? '' : ` for ${printable(machineType)}`;
      yield `${arrows[direction]}${of}: breaks/may break`;
      yield* grid(matrix, direction, machineType);
    }
  }
}

function grid(matrix: CompatMatrix, direction: Direction, machineType: string | undefined): string[] {
  const columns: Column[] = [
    { title: 'OLD \\ NEW', align: 'left' },
    ...matrix.new.map(({ name }): Column => ({ title: printable(name), align: 'right' })),
  ];
  const rows = matrix.old.map(({ name }, old) => [
    printable(name),
    ...matrix.pairs.filter((pair) => pair.old === old).map((pair) => cellOf(pair, direction, machineType)),
  ]);
  return formatTable(columns, rows);
}

function cellOf(
  { counts, machines }: MatrixPair,
  direction: Direction,
  machineType: string | undefined,
): string {
  const all =
    machineType === undefined ? counts : machines.find((each) => each.machineType === machineType)?.counts;
  const found = all?.find((each) => each.direction === direction);
  return found ? `${found.certain}/${found.conditional}` : '-';
}
