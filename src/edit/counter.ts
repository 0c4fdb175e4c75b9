import type { PathComponent } from '../bytes/diagnostic.ts';
import type { SchemaTables } from '../layout/tables.ts';
import { type CompiledField, type CompiledMember, type CompiledVmsd, elementType } from '../vmsd/compiled.ts';
import { scalarTypes } from '../vmsd/scalars.ts';

/** The field that counts the elements of others, in the same struct. */
export interface Counter {
  /** Name of the field. */
  readonly name: string;
  readonly type: string;
  /** Elements, or bytes of a buffer, for each that it counts. */
  readonly factor: number;
  /** All fields that it counts. */
  readonly counted: readonly string[];
}

/**
 * The counter of an array or a buffer of a VMSD; a text that says why there is none: its length is fixed, or what counts
 * it is not in the stream.
 */
export function counterOf(
  tables: Iterable<SchemaTables>,
  vmsdName: string,
  versionId: number | undefined,
  field: PathComponent,
): Counter | string {
  let reason = `no tables that are known have a field ${field} in ${vmsdName}`;
  for (const each of tables) {
    const vmsds = each
      .vmsds(vmsdName)
      .filter((vmsd) => versionId === undefined || vmsd.versionId === versionId);
    for (const vmsd of vmsds) {
      const counted = vmsd.fields.find(({ name }) => name === field);
      if (!counted) continue;
      const found = counterIn(vmsd, counted);
      if (typeof found !== 'string') return found;
      reason = found;
    }
  }
  return reason;
}

function memberOf({ count, bufferSize }: CompiledField): CompiledMember | undefined {
  return count.kind === 'member' ? count : bufferSize;
}

function counterIn(vmsd: CompiledVmsd, counted: CompiledField): Counter | string {
  const member = memberOf(counted);
  if (!member) return `the length of ${counted.name} is fixed`;
  const counter = vmsd.fields.find(
    (field) =>
      field.offset === member.offset && field.size === member.width && scalarTypes.has(elementType(field)),
  );
  if (!counter)
    return `what counts ${counted.name} is not in the stream: it is set by the command line or the machine type`;
  const fields = vmsd.fields.filter((field) => {
    const other = memberOf(field);
    return other?.offset === member.offset && other.width === member.width;
  });
  return {
    name: counter.name,
    type: elementType(counter),
    factor: member.factor,
    counted: fields.map(({ name }) => name),
  };
}
